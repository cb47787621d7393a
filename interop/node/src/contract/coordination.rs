//! How the listener's address reaches the dialler: through redis, in a list (transport suite) or a value (perf suite).

mod wire;

use std::{
    io::{self, BufReader},
    net::{TcpStream, ToSocketAddrs},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long one attempt to connect may take, and one answer that redis does not hold back.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Between two attempts to connect, and between two looks for a value.
const POLL: Duration = Duration::from_millis(100);

/// A connection to redis, and the key under which the address stands. Its methods block.
pub(super) struct Coordination {
    stream: BufReader<TcpStream>,
    key: String,
    limit: Duration,
}

impl Coordination {
    /// Connects to `addr`, a host and a port. Tries again until the limit: redis may start later, and so may its name.
    pub(super) fn connect(addr: &str, key: String, limit: Duration) -> io::Result<Self> {
        let attempt = || match connect(addr) {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => {
                eprintln!("redis at {addr}: {error}");
                Ok(None)
            }
        };
        let stream = until(limit, attempt)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, format!("no redis at {addr}")))?;
        stream.set_read_timeout(Some(limit + ATTEMPT))?;
        Ok(Self {
            stream: BufReader::new(stream),
            key,
            limit,
        })
    }

    /// Puts the address at the end of the list; what an earlier run left in it goes.
    pub(super) fn push(&mut self, addr: &str) -> io::Result<()> {
        self.ask("DEL", &[])?;
        self.ask("RPUSH", &[addr])?;
        Ok(())
    }

    /// Waits for an address in the list, and takes it out.
    pub(super) fn pop(&mut self) -> io::Result<String> {
        let limit = self.limit.as_secs().to_string();
        // The answer is the key and what was in the list.
        self.ask("BLPOP", &[&limit])?.pop().ok_or_else(no_address)
    }

    /// Sets the value to the address.
    pub(super) fn set(&mut self, addr: &str) -> io::Result<()> {
        self.ask("SET", &[addr])?;
        Ok(())
    }

    /// Waits until there is a value.
    pub(super) fn get(&mut self) -> io::Result<String> {
        until(self.limit, || Ok(self.ask("GET", &[])?.pop()))?.ok_or_else(no_address)
    }

    /// The texts that redis answers to a command about the key: none where it has nothing.
    fn ask(&mut self, command: &str, rest: &[&str]) -> io::Result<Vec<String>> {
        let words = [&[command, self.key.as_str()], rest].concat();
        wire::write_command(self.stream.get_mut(), &words)?;
        wire::read_reply(&mut self.stream)
    }
}

fn connect(addr: &str) -> io::Result<TcpStream> {
    let socket = addr.to_socket_addrs()?.next();
    TcpStream::connect_timeout(&socket.ok_or(io::ErrorKind::NotFound)?, ATTEMPT)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the listener gave no address")
}

/// Looks again and again until there is something, or the limit is over.
fn until<T>(limit: Duration, mut look: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        let found = look()?;
        if found.is_some() || Instant::now() >= deadline {
            return Ok(found);
        }
        sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    /// Answers with these bytes, and gives what was asked.
    fn with_redis<T>(answer: &str, ask: impl FnOnce(&mut Coordination) -> T) -> (T, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        thread::scope(|scope| {
            let asked = scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                let mut asked = String::new();
                stream.read_to_string(&mut asked).unwrap();
                asked
            });
            let mut coordination =
                Coordination::connect(&addr, "k".to_owned(), Duration::from_secs(3)).unwrap();
            let came_of_it = ask(&mut coordination);
            drop(coordination);
            (came_of_it, asked.join().unwrap())
        })
    }

    #[test]
    fn a_list_is_emptied_before_an_address_comes_in() {
        let (pushed, asked) = with_redis(":0\r\n:1\r\n", |redis| redis.push("/a"));
        pushed.unwrap();
        assert_eq!(
            asked,
            "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$2\r\n/a\r\n"
        );
    }

    #[test]
    fn an_address_is_taken_out_of_the_list() {
        let (popped, asked) = with_redis("*2\r\n$1\r\nk\r\n$2\r\n/a\r\n", Coordination::pop);
        assert_eq!(popped.unwrap(), "/a");
        assert_eq!(asked, "*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n3\r\n");
        let (popped, _) = with_redis("*-1\r\n", Coordination::pop);
        assert_eq!(popped.unwrap_err().to_string(), "the listener gave no address");
    }

    #[test]
    fn a_value_is_looked_for_until_it_is_there() {
        let (got, asked) = with_redis("$-1\r\n$2\r\n/a\r\n", Coordination::get);
        assert_eq!(got.unwrap(), "/a");
        assert_eq!(asked, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(2));
        let (set, asked) = with_redis("-WRONGTYPE no\r\n", |redis| redis.set("/a"));
        assert_eq!(set.unwrap_err().to_string(), "WRONGTYPE no");
        assert_eq!(asked, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n/a\r\n");
    }
}
