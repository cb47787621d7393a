// What happened in this process: kept for the `events` command, which can wait for it.

package main

import "sync"

// The fields of an event or an answer.
type with = map[string]any

type journal struct {
	mutex  sync.Mutex
	news   *sync.Cond
	events []with
}

func newJournal() *journal {
	j := &journal{}
	j.news = sync.NewCond(&j.mutex)
	return j
}

func (j *journal) record(kind string, event with) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	event["kind"] = kind
	j.events = append(j.events, event)
	j.news.Broadcast()
}

// Waits until there are count events of this kind that are meant, and returns those.
func (j *journal) wait(kind string, count int, isMeant func(with) bool) []with {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for {
		found := []with{}
		for _, event := range j.events {
			if event["kind"] == kind && isMeant(event) {
				found = append(found, event)
			}
		}
		if len(found) >= count {
			return found
		}
		j.news.Wait()
	}
}
