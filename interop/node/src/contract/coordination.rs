//! How the listener's address reaches the dialler: through redis, in a list (transport suite) or a value (perf suite).

use std::{
    error::Error,
    thread::sleep,
    time::{Duration, Instant},
};

use redis::{Connection, RedisResult, cmd};

/// How long one attempt to connect may take, and one answer that redis does not hold back.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Between two attempts to connect, and between two looks for a value.
const POLL: Duration = Duration::from_millis(100);

/// A connection to redis, and the key under which the address stands. Its methods block.
pub(super) struct Coordination {
    connection: Connection,
    key: String,
    limit: Duration,
}

impl Coordination {
    /// Connects to `addr`, a host and a port. Tries again until the limit: redis may start later, and so may its name.
    pub(super) fn connect(addr: &str, key: String, limit: Duration) -> Result<Self, Box<dyn Error>> {
        let client = redis::Client::open(format!("redis://{addr}"))?;
        let connect = || {
            client
                .get_connection_with_timeout(ATTEMPT)
                .map(Some)
                .or_else(|error| {
                    eprintln!("redis at {addr}: {error}");
                    Ok(None)
                })
        };
        let connection = until(limit, connect)?.ok_or_else(|| format!("no redis at {addr}"))?;
        connection.set_read_timeout(Some(ATTEMPT))?;
        Ok(Self {
            connection,
            key,
            limit,
        })
    }

    /// Puts the address at the end of the list; what an earlier run left in it goes.
    pub(super) fn push(&mut self, addr: &str) -> Result<(), Box<dyn Error>> {
        cmd("DEL").arg(&self.key).exec(&mut self.connection)?;
        Ok(cmd("RPUSH").arg(&self.key).arg(addr).exec(&mut self.connection)?)
    }

    /// Waits for an address in the list, and takes it out.
    pub(super) fn pop(&mut self) -> Result<String, Box<dyn Error>> {
        self.connection.set_read_timeout(Some(self.limit + ATTEMPT))?;
        let mut pop = cmd("BLPOP");
        pop.arg(&self.key).arg(self.limit.as_secs());
        let popped: Option<(String, String)> = pop.query(&mut self.connection)?;
        Ok(popped.ok_or("the listener gave no address")?.1)
    }

    /// Sets the value to the address.
    pub(super) fn set(&mut self, addr: &str) -> Result<(), Box<dyn Error>> {
        Ok(cmd("SET").arg(&self.key).arg(addr).exec(&mut self.connection)?)
    }

    /// Waits until there is a value.
    pub(super) fn get(&mut self) -> Result<String, Box<dyn Error>> {
        let found = until(self.limit, || {
            cmd("GET").arg(&self.key).query(&mut self.connection)
        })?;
        Ok(found.ok_or("the listener gave no address")?)
    }
}

/// Looks again and again until there is something, or the limit is over.
fn until<T>(limit: Duration, mut look: impl FnMut() -> RedisResult<Option<T>>) -> RedisResult<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        let found = look()?;
        if found.is_some() || Instant::now() >= deadline {
            return Ok(found);
        }
        sleep(POLL);
    }
}
