//! Carries packets between the devices: for each direction a thread that reads and one that writes when it is time.

use crate::{
    LinkError,
    direction::{Direction, Settings},
};
use serde_json::json;
use std::{
    io,
    process::exit,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread::{scope, sleep},
    time::Instant,
};
use tun_rs::{DeviceBuilder, SyncDevice};

/// The largest packet.
const PACKET: usize = 65_535;

/// One direction, and the news that it has something again.
struct Shared {
    direction: Mutex<Direction>,
    filled: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Direction> {
        self.direction.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the devices, carries until standard input ends, and says for each of its lines what was carried so far.
pub(crate) fn run(names: &[String], settings: Settings, seed: u64) -> Result<(), LinkError> {
    let devices = names
        .iter()
        .map(|name| device(name))
        .collect::<Result<Vec<_>, _>>()?;
    let directions = [seed, seed + 1].map(|seed| Shared {
        direction: Mutex::new(Direction::new(settings, seed)),
        filled: Condvar::new(),
    });
    let began = Instant::now();
    scope(|threads| {
        for (from, direction) in directions.iter().enumerate() {
            let (reader, writer) = (&devices[from], &devices[1 - from]);
            threads.spawn(move || ended(&read(reader, direction, began)));
            threads.spawn(move || write(writer, direction, began));
        }
        ended(&answer(&directions));
    });
    Ok(())
}

fn device(name: &str) -> Result<SyncDevice, LinkError> {
    let built = DeviceBuilder::new().name(name).enable(false).build_sync();
    built.map_err(|error| LinkError::Device(name.to_owned(), error))
}

/// The threads wait in the system, for a device or for a time: the process ends with whichever ends first.
fn ended(result: &io::Result<()>) -> ! {
    if let Err(error) = result {
        eprintln!("error: {error}");
    }
    exit(i32::from(result.is_err()));
}

fn answer(directions: &[Shared; 2]) -> io::Result<()> {
    println!("{}", json!({ "ready": true }));
    for line in io::stdin().lines() {
        line?;
        let counts = directions.each_ref().map(|shared| shared.lock().counts());
        println!("{}", json!({ "carried": counts }));
    }
    Ok(())
}

fn read(device: &SyncDevice, shared: &Shared, began: Instant) -> io::Result<()> {
    let mut packet = vec![0; PACKET];
    loop {
        let length = device.recv(&mut packet)?;
        let mut direction = shared.lock();
        direction.take(began.elapsed(), &packet[..length]);
        drop(direction);
        shared.filled.notify_one();
    }
}

fn write(device: &SyncDevice, shared: &Shared, began: Instant) {
    let mut due = Vec::new();
    loop {
        let mut direction = shared.lock();
        let next = loop {
            match direction.next() {
                Some(next) => break next,
                None => {
                    direction = shared
                        .filled
                        .wait(direction)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        let now = began.elapsed();
        while let Some(packet) = direction.out(now) {
            due.push(packet);
        }
        drop(direction);
        if due.is_empty() {
            sleep(next - now);
        }
        for packet in due.drain(..) {
            // The other network may have gone, or has no room: then the packet is lost, as on any network.
            let _ = device.send(&packet);
        }
    }
}
