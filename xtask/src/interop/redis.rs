//! As much of a redis server as the official suites use, on a free port of loopback: so that no redis is needed.

mod store;
mod wire;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::Scope,
    time::Duration,
};

use self::{
    store::Store,
    wire::{Reply, Version, read_command, write_command},
};

/// How long another server may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A running server; dropping it ends it.
pub(super) struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    store: Store,
    is_over: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// Starts one, with threads of this scope.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let accepting = shared.clone();
        scope.spawn(move || {
            for stream in listener.incoming().flatten() {
                if !accepting.keep(&stream) {
                    return;
                }
                let serving = accepting.clone();
                scope.spawn(move || {
                    if let Err(error) = serving.serve(stream) {
                        eprintln!("redis: {error}");
                    }
                });
            }
        });
        Ok(Self { addr, shared })
    }

    /// Where it listens.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.store.close();
        for stream in self.shared.connections().drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    /// Notes a connection, so that it can be closed; `false` if the server has ended.
    fn keep(&self, stream: &TcpStream) -> bool {
        let mut connections = self.connections();
        connections.extend(stream.try_clone());
        !self.is_over.load(Ordering::SeqCst)
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut version = Version::Two;
        let mut output = stream.try_clone()?;
        let mut input = BufReader::new(stream);
        while let Some(command) = read_command(&mut input)? {
            let reply = self.reply(&command, &mut version);
            output.write_all(&reply.encode(version))?;
        }
        Ok(())
    }

    fn reply(&self, command: &[String], version: &mut Version) -> Reply {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let [name, args @ ..] = words.as_slice() else {
            return Reply::Error("ERR no command".to_owned());
        };
        match (name.to_ascii_uppercase().as_str(), args) {
            ("HELLO", ["3", ..]) => {
                *version = Version::Three;
                hello(3)
            }
            ("HELLO", _) => hello(2),
            ("PING", []) => Reply::Simple("PONG"),
            // What a client says about itself.
            ("CLIENT" | "SELECT", _) => Reply::Simple("OK"),
            ("DEL", keys) => Reply::Integer(self.store.delete(keys)),
            ("SET", [key, value, ..]) => self.store.set(key, value),
            ("GET", [key]) => self.store.get(key),
            ("RPUSH", [key, values @ ..]) => self.store.push(key, values),
            ("LPOP", [key]) => self.store.pop(key),
            ("BLPOP", [keys @ .., seconds]) => match seconds.parse().ok().map(Duration::try_from_secs_f64) {
                Some(Ok(limit)) => self.store.wait_pop(keys, limit),
                _ => Reply::Error("ERR timeout is not a float or out of range".to_owned()),
            },
            _ => Reply::Error(format!(
                "ERR unknown command '{name}' or wrong number of arguments"
            )),
        }
    }
}

fn hello(proto: i64) -> Reply {
    let text = |text: &str| Reply::Text(text.to_owned());
    Reply::Map(vec![
        ("server", text("redis")),
        ("version", text("7.0.15")),
        ("proto", Reply::Integer(proto)),
        ("id", Reply::Integer(1)),
        ("mode", text("standalone")),
        ("role", text("master")),
        ("modules", Reply::Array(Vec::new())),
    ])
}

/// Deletes a key of another redis: what an earlier run left there.
pub(super) fn delete(addr: &str, key: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write_command(&mut stream, &["DEL", key])?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match answer.starts_with(':') {
        true => Ok(()),
        false => Err(io::Error::other(answer.trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, thread};

    fn with_server(test: impl FnOnce(&Server)) {
        thread::scope(|scope| test(&Server::start(scope).unwrap()));
    }

    fn ask(server: &Server, command: &[&str], answer: &str) {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        write_command(&mut stream, command).unwrap();
        expect(&mut stream, answer);
    }

    fn expect(stream: &mut TcpStream, answer: &str) {
        let mut found = vec![0; answer.len()];
        stream.read_exact(&mut found).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), answer);
    }

    #[test]
    fn a_value_is_set_read_and_deleted() {
        with_server(|server| {
            ask(server, &["GET", "k"], "$-1\r\n");
            ask(server, &["set", "k", "v"], "+OK\r\n");
            ask(server, &["GET", "k"], "$1\r\nv\r\n");
            delete(&server.addr().to_string(), "k").unwrap();
            ask(server, &["GET", "k"], "$-1\r\n");
        });
    }

    #[test]
    fn a_list_is_no_value() {
        with_server(|server| {
            ask(server, &["RPUSH", "k", "a", "b"], ":2\r\n");
            ask(server, &["GET", "k"], "-WRONGTYPE ");
            ask(server, &["BLPOP", "k", "0.5"], "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
            ask(server, &["LPOP", "k"], "$1\r\nb\r\n");
            ask(server, &["LPOP", "k"], "$-1\r\n");
        });
    }

    #[test]
    fn a_waiting_client_is_woken_by_a_push_and_by_the_end_of_its_time() {
        with_server(|server| {
            let mut waiting = TcpStream::connect(server.addr()).unwrap();
            write_command(&mut waiting, &["BLPOP", "k", "0"]).unwrap();
            ask(server, &["BLPOP", "other", "0.01"], "*-1\r\n");
            ask(server, &["RPUSH", "k", "v"], ":1\r\n");
            expect(&mut waiting, "*2\r\n$1\r\nk\r\n$1\r\nv\r\n");
        });
    }

    #[test]
    fn the_newer_version_of_the_protocol_is_spoken_where_it_is_asked_for() {
        with_server(|server| {
            let mut stream = TcpStream::connect(server.addr()).unwrap();
            write_command(&mut stream, &["HELLO", "3"]).unwrap();
            expect(&mut stream, "%7\r\n$6\r\nserver\r\n");
            ask(server, &["HELLO", "2"], "*14\r\n$6\r\nserver\r\n");
            ask(server, &["FLY"], "-ERR unknown command 'FLY'");
        });
    }

    #[test]
    fn the_end_of_the_server_ends_who_waits() {
        let mut stream = None;
        with_server(|server| {
            let mut waiting = TcpStream::connect(server.addr()).unwrap();
            write_command(&mut waiting, &["BLPOP", "k", "0"]).unwrap();
            ask(server, &["PING"], "+PONG\r\n");
            stream = Some(waiting);
        });
        let mut rest = Vec::new();
        let read = stream.unwrap().read_to_end(&mut rest);
        assert!(
            read.is_err() || rest.is_empty() || rest == b"*-1\r\n",
            "{read:?} {rest:?}"
        );
    }
}
