//! The machine as the shell around it sees it.

use crate::{
    Fault,
    machine::{Batch, Connection, End, Id, Refused, StreamError, Ticket},
};
use bytes::Bytes;
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::{Machine, Unread};
use std::task::{Poll, Waker};

impl Machine for Connection<Waker> {
    type Id = Id;
    type Fault = Fault;

    fn wants_read(&self) -> bool {
        self.wants_read()
    }

    fn receive(&mut self, now: Instant, input: Bytes) {
        // The fault is kept as the end.
        let _ = self.receive(now, input);
    }

    fn wants_transmit(&self) -> bool {
        self.wants_transmit()
    }

    fn has_several(&self) -> bool {
        self.stream_count() > 1
    }

    fn transmit(&mut self, _: Instant, max: usize, batch: &mut Batch) {
        self.transmit(max, batch);
    }

    fn written(&mut self, count: usize) {
        self.written(count);
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.deadline()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn take_woken(&mut self, out: &mut Vec<Waker>) {
        self.take_woken(out);
    }

    fn grant_room(&mut self) {
        self.grant_room();
    }

    fn has_starving_writers(&self) -> bool {
        self.has_starving_writers()
    }

    fn unread(&self) -> Unread {
        self.unread()
    }

    fn allow_unread(&mut self, now: Instant, bytes: usize) {
        self.allow_unread(now, bytes);
    }

    fn compact(&mut self) {
        self.compact();
    }

    fn shrink(&mut self) {
        self.shrink();
    }

    fn close(&mut self, now: Instant, code: CloseCode) {
        self.close(now, code);
    }

    fn lost(&mut self) {
        self.lost();
    }

    fn give_up(&mut self) {
        self.give_up();
    }

    fn end(&self) -> Option<End> {
        self.end()
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_expired(&self) -> bool {
        self.is_expired()
    }

    fn open(
        &mut self,
        now: Instant,
        ticket: &mut Option<Ticket>,
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<Id, Refused>> {
        self.open(now, ticket, waiter)
    }

    fn cancel_open(&mut self, ticket: Ticket) {
        self.cancel_open(ticket);
    }

    fn accept(&mut self, waiter: impl FnOnce() -> Waker) -> Poll<Result<Id, End>> {
        self.accept(waiter)
    }

    fn read(
        &mut self,
        now: Instant,
        id: Id,
        max: usize,
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        self.read(now, id, max, waiter)
    }

    fn has_unread(&self, id: Id) -> bool {
        self.has_unread(id)
    }

    fn write(
        &mut self,
        id: Id,
        chunk: &mut Bytes,
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<usize, StreamError>> {
        self.write(id, chunk, waiter)
    }

    fn write_slice(
        &mut self,
        id: Id,
        slice: &[u8],
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<usize, StreamError>> {
        self.write_slice(id, slice, waiter)
    }

    /// The remote is told as soon as a stream is opened.
    fn announce(&mut self, _: Id) {}

    fn finish(&mut self, id: Id) -> Result<(), StreamError> {
        self.finish(id)
    }

    fn stop(&mut self, id: Id) {
        self.stop(id);
    }

    fn reset(&mut self, _: Instant, id: Id, code: CloseCode) {
        self.reset(id, code);
    }

    fn reset_of(&mut self, id: Id, waiter: impl FnOnce() -> Waker) -> Poll<CloseCode> {
        self.reset_of(id, waiter)
    }

    fn release(&mut self, now: Instant, id: Id) {
        self.release(now, id);
    }
}
