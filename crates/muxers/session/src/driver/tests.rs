//! The driver with a machine that keeps one byte of every buffer.

use super::{ASK_AGAIN, Driver};
use crate::{
    buffers::Buffers,
    machine::{Batch, End, Fault, Machine, Refused, StreamError, Ticket, Unread},
    shared::Shared,
};
use bytes::Bytes;
use sinew_core::{CloseReason, Unlimited};
use sinew_machine::{CloseCode, Instant};
use sinew_runtime::sleep;
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Poll, Waker},
};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

#[derive(Clone, Copy, PartialEq, Debug)]
struct Never;

impl Fault for Never {
    fn reason(self) -> CloseReason {
        CloseReason::Violation("never")
    }

    fn code(self) -> CloseCode {
        CloseCode::NONE
    }
}

/// Keeps a byte of all that arrives, as a stream that nobody reads does.
#[derive(Default)]
struct Hoard {
    kept: Vec<Bytes>,
    /// So many bytes it may keep, if it has a bound.
    most: Option<usize>,
    compacted: usize,
    /// So often it does not want the socket read.
    reluctant: Cell<usize>,
    lost: bool,
}

impl Machine for Hoard {
    type Id = u32;
    type Fault = Never;

    fn wants_read(&self) -> bool {
        let reluctant = self.reluctant.get();
        self.reluctant.set(reluctant.saturating_sub(1));
        reluctant == 0 && self.most.is_none_or(|most| self.kept.len() < most)
    }

    fn receive(&mut self, _: Instant, input: Bytes) {
        self.kept.push(input.slice(..1));
    }

    fn unread(&self) -> Unread {
        Unread {
            total: self.kept.len(),
            ..Unread::default()
        }
    }

    fn allow_unread(&mut self, _: Instant, _: usize) {}

    fn compact(&mut self) {
        self.compacted += 1;
        for kept in &mut self.kept {
            *kept = Bytes::copy_from_slice(kept);
        }
    }

    fn wants_transmit(&self) -> bool {
        false
    }

    fn has_several(&self) -> bool {
        false
    }

    fn transmit(&mut self, _: Instant, _: usize, _: &mut Batch) {}
    fn written(&mut self, _: usize) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn take_woken(&mut self, _: &mut Vec<Waker>) {}
    fn grant_room(&mut self) {}
    fn shrink(&mut self) {}
    fn close(&mut self, _: Instant, _: CloseCode) {}
    fn give_up(&mut self) {}
    fn cancel_open(&mut self, _: Ticket) {}
    fn announce(&mut self, _: u32) {}
    fn stop(&mut self, _: u32) {}
    fn reset(&mut self, _: Instant, _: u32, _: CloseCode) {}
    fn release(&mut self, _: Instant, _: u32) {}

    fn deadline(&mut self) -> Option<Instant> {
        None
    }

    fn has_starving_writers(&self) -> bool {
        false
    }

    fn lost(&mut self) {
        self.lost = true;
    }

    fn end(&self) -> Option<End<Never>> {
        self.lost.then_some(End::Lost)
    }

    fn is_finished(&self) -> bool {
        self.lost
    }

    fn is_expired(&self) -> bool {
        false
    }

    fn open(
        &mut self,
        _: Instant,
        _: &mut Option<Ticket>,
        _: impl FnOnce() -> Waker,
    ) -> Poll<Result<u32, Refused<Never>>> {
        Poll::Pending
    }

    fn accept(&mut self, _: impl FnOnce() -> Waker) -> Poll<Result<u32, End<Never>>> {
        Poll::Pending
    }

    fn read(
        &mut self,
        _: Instant,
        _: u32,
        _: usize,
        _: impl FnOnce() -> Waker,
    ) -> Poll<Result<Option<Bytes>, StreamError<Never>>> {
        Poll::Pending
    }

    fn has_unread(&self, _: u32) -> bool {
        false
    }

    fn write(
        &mut self,
        _: u32,
        _: &mut Bytes,
        _: impl FnOnce() -> Waker,
    ) -> Poll<Result<usize, StreamError<Never>>> {
        Poll::Pending
    }

    fn write_slice(
        &mut self,
        _: u32,
        _: &[u8],
        _: impl FnOnce() -> Waker,
    ) -> Poll<Result<usize, StreamError<Never>>> {
        Poll::Pending
    }

    fn finish(&mut self, _: u32) -> Result<(), StreamError<Never>> {
        Ok(())
    }

    fn reset_of(&mut self, _: u32, _: impl FnOnce() -> Waker) -> Poll<CloseCode> {
        Poll::Pending
    }
}

fn over(local: DuplexStream, hoard: Hoard) -> Driver<Hoard> {
    let buffers = Buffers::new();
    let shared = Shared::new(hoard, Arc::new(Unlimited), buffers.lent().clone());
    Driver::new(Box::new(local), shared, buffers)
}

/// Polls once: the connection lives.
async fn turn(driver: &mut Driver<Hoard>) {
    let sleeps = poll_fn(|cx| Poll::Ready(Pin::new(&mut *driver).poll(cx).is_pending())).await;
    assert!(sleeps, "the connection lives");
}

#[tokio::test]
async fn a_byte_that_nobody_reads_does_not_hold_its_buffer_for_ever() {
    let (local, mut remote) = duplex(1 << 20);
    let mut driver = over(local, Hoard::default());
    let arriving = [7; 120 << 10];
    let mut most = 0;
    for _ in 0..300 {
        remote.write_all(&arriving).await.expect("the pipe is wide");
        turn(&mut driver).await;
        most = most.max(driver.buffers.held());
    }
    let unread = driver.shared.lock().machine.unread().total;
    assert!(unread >= 300, "a byte of every buffer is kept");
    assert!(most < 3 << 20, "{} KiB held for {unread} bytes", most >> 10);
}

#[tokio::test(start_paused = true)]
async fn a_connection_at_its_bound_is_compacted_now_and_then() {
    let (local, mut remote) = duplex(1 << 20);
    let bounded = Hoard {
        most: Some(10),
        ..Hoard::default()
    };
    let mut driver = over(local, bounded);
    for times in 0..1000 {
        if times == 999 {
            sleep(ASK_AGAIN).await;
        }
        while driver.shared.lock().machine.wants_read() {
            remote.write_all(&[7]).await.expect("the pipe is wide");
            turn(&mut driver).await;
        }
        let compacted = driver.shared.lock().machine.compacted;
        assert_eq!(
            compacted,
            if times < 999 { 1 } else { 2 },
            "at its bound {times} times"
        );
        // One byte is read, and the next comes later.
        driver.shared.lock().machine.kept.pop();
        turn(&mut driver).await;
    }
}

/// Readers who took all that lay unread between a look at the machine and the driver's sleep found nobody to wake.
#[tokio::test]
async fn a_socket_that_is_wanted_again_before_the_driver_sleeps_is_read() {
    let (local, mut remote) = duplex(1 << 10);
    let once = Hoard {
        reluctant: Cell::new(1),
        ..Hoard::default()
    };
    let mut driver = over(local, once);
    remote.write_all(&[7]).await.expect("the pipe is wide");
    turn(&mut driver).await;
    assert_eq!(driver.shared.lock().machine.kept.len(), 1);
}
