//! A peerstore on disk: restarts, crashes, damage, bounds.
#![cfg(feature = "disk")]

use multiaddr::Multiaddr;
use redb::{ReadableDatabase, TableHandle};
use sinew_core::{Learned, Lifetime, Peerstore};
use sinew_identity::PeerId;
use sinew_peerstore::{DiskError, DiskPeerstore, PeerstoreBounds};
use sinew_runtime::now;
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const HOUR: Lifetime = Lifetime::For(Duration::from_secs(3600));

fn addr(number: u64) -> Multiaddr {
    format!("/ip4/192.0.2.1/tcp/{}", 1 + number % 65_535)
        .parse()
        .expect("an address")
}

fn agent(text: &str) -> Learned {
    let mut learned = Learned::default();
    learned.agent = Some(text.into());
    learned
}

#[test]
fn what_was_known_is_known_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/down/peers.redb");
    let [kept, removed] = std::array::from_fn(|_| PeerId::random());
    {
        let store = DiskPeerstore::open(&path).expect("opens");
        for peer in [&kept, &removed] {
            store.add_addrs(peer, &[addr(1)], HOUR, now());
        }
        store.add_addrs(&kept, &[addr(2)], Lifetime::Permanent, now());
        store.update(&kept, &agent("first"), now());
        assert_eq!(store.flush().expect("writes"), 2);
        assert_eq!(store.flush().expect("writes"), 0, "nothing has changed");
        store.update(&kept, &agent("second"), now());
        store.remove(&removed);
        // Dropping it writes the rest.
    }
    let store = DiskPeerstore::open(&path).expect("opens again");
    assert_eq!(store.set_aside(), None);
    assert_eq!(store.peers(), [kept]);
    assert_eq!(store.addrs(&kept, now()), [addr(2), addr(1)]);
    let info = store.info(&kept, now()).expect("known");
    assert_eq!(info.agent.as_deref(), Some("second"));
}

#[test]
fn who_is_forgotten_to_make_room_leaves_the_file_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    let mut bounds = PeerstoreBounds::default();
    bounds.peers = 30;
    let last: Vec<_> = {
        let store = DiskPeerstore::open_with(&path, bounds).expect("opens");
        for number in 0..500 {
            store.add_addrs(&PeerId::random(), &[addr(number)], HOUR, now());
            if number % 40 == 0 {
                store.flush().expect("writes");
            }
        }
        store.peers()
    };
    assert_eq!(last.len(), 30);
    let mut found = DiskPeerstore::open(&path)
        .expect("opens without the bound")
        .peers();
    found.sort();
    let mut wanted = last;
    wanted.sort();
    assert_eq!(found, wanted);
    bounds.peers = 10;
    assert_eq!(
        DiskPeerstore::open_with(&path, bounds)
            .expect("opens")
            .peers()
            .len(),
        10
    );
    assert_eq!(
        DiskPeerstore::open(&path).expect("opens").peers().len(),
        10,
        "the others are gone"
    );
}

#[test]
fn lower_bounds_cut_lists_and_lose_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    let peer = PeerId::random();
    {
        let store = DiskPeerstore::open(&path).expect("opens");
        let addrs: Vec<_> = (1..=40).map(addr).collect();
        store.add_addrs(&peer, &addrs, HOUR, now());
    }
    let mut bounds = PeerstoreBounds::default();
    bounds.addrs_per_peer = 3;
    let store = DiskPeerstore::open_with(&path, bounds).expect("opens");
    assert_eq!(store.addrs(&peer, now()).len(), 3);
}

/// The rows of a file, whatever they hold.
fn rows(path: &Path, change: impl FnOnce(&mut redb::Table<'_, &[u8], &[u8]>)) -> u64 {
    use redb::ReadableTableMetadata;
    let database = redb::Database::open(path).expect("sound");
    let transaction = database.begin_write().expect("begins");
    let rows = redb::TableDefinition::<&[u8], &[u8]>::new("peers/1");
    let mut table = transaction.open_table(rows).expect("there");
    change(&mut table);
    let count = table.len().expect("counted");
    drop(table);
    transaction.commit().expect("written");
    count
}

#[test]
fn rows_that_make_no_sense_leave_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    filled(&path);
    let garbage = rows(&path, |table| {
        for (id, row) in [
            (&b"nobody"[..], &b""[..]),
            (PeerId::random().as_bytes(), &[0xff; 9][..]),
        ] {
            table.insert(id, row).expect("written");
        }
    });
    assert_eq!(garbage, 202);
    drop(DiskPeerstore::open_existing(&path).expect("opens"));
    assert_eq!(rows(&path, |_| {}), 202, "who only reads changes nothing");
    assert_eq!(DiskPeerstore::open(&path).expect("opens").peers().len(), 200);
    assert_eq!(rows(&path, |_| {}), 200);
}

#[test]
fn a_second_process_is_told_that_the_file_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    let _store = DiskPeerstore::open(&path).expect("opens");
    let refused = DiskPeerstore::open(&path).expect_err("is open");
    assert!(matches!(refused, DiskError::InUse(_)), "{refused}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    drop(DiskPeerstore::open(&path).expect("opens"));
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Fills a file with 200 peers.
fn filled(path: &Path) {
    let store = DiskPeerstore::open(path).expect("opens");
    for number in 0..200 {
        let peer = PeerId::random();
        store.add_addrs(&peer, &[addr(number)], HOUR, now());
        store.update(&peer, &agent("an agent with some bytes in its name"), now());
    }
}

#[test]
fn a_damaged_file_is_kept_aside_and_the_node_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    filled(&path);
    let sound = fs::read(&path).expect("there");
    // All but the beginning; not even all of that; what a crash leaves of a file that is being made.
    let contents = [
        [&sound[..9], &[0xa5; 100_000]].concat(),
        b"redb".to_vec(),
        vec![0; 4096],
    ];
    for (number, content) in contents.iter().enumerate() {
        fs::write(&path, content).expect("written");
        let store = DiskPeerstore::open(&path).expect("opens all the same");
        let aside = store.set_aside().expect("it was damaged");
        assert!(aside.ends_with(format!("peers.redb.damaged-{}", number + 1)));
        assert_eq!(&fs::read(aside).expect("kept"), content);
        assert_eq!(store.peers(), []);
        store.add_addrs(&PeerId::random(), &[addr(1)], HOUR, now());
        assert_eq!(store.flush().expect("writes"), 1);
    }
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("node.key");
    fs::write(&path, b"a key").expect("written");
    refused(&path);
    assert_eq!(fs::read(&path).expect("still there"), b"a key");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_database_of_somebody_else_gets_no_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.redb");
    let made = redb::Database::create(&path).map(|database| {
        let transaction = database.begin_write().expect("begins");
        let table = redb::TableDefinition::<&str, u64>::new("accounts");
        drop(transaction.open_table(table).expect("made"));
        transaction.commit().expect("written");
    });
    made.expect("made");
    refused(&path);
    let database = redb::Database::open(&path).expect("sound");
    let transaction = database.begin_read().expect("begins");
    let tables = transaction.list_tables().expect("reads");
    assert_eq!(
        tables.map(|table| table.name().to_owned()).collect::<Vec<_>>(),
        ["accounts"]
    );
}

fn refused(path: &Path) {
    for opened in [DiskPeerstore::open(path), DiskPeerstore::open_existing(path)] {
        let error = opened.expect_err("no peerstore");
        assert!(matches!(error, DiskError::Foreign(_)), "{error}");
    }
}

#[test]
fn who_only_reads_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.redb");
    DiskPeerstore::open_existing(&path).expect_err("it is not there");
    assert!(!path.exists());
    fs::write(&path, b"redb").expect("written");
    let error = DiskPeerstore::open_existing(&path).expect_err("a piece of one");
    assert!(matches!(error, DiskError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(&path).expect("still there"), b"redb");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    fs::remove_file(&path).expect("there");
    filled(&path);
    let store = DiskPeerstore::open_existing(&path).expect("sound");
    assert_eq!(store.peers().len(), 200);
}

/// Every damage ends in a store that works: with what could be read, or with the file kept aside.
#[test]
fn damage_anywhere_in_the_file_is_survived() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.redb");
    filled(&whole);
    let bytes = fs::read(&whole).expect("there");
    // A fixed sequence: where the damage is does not change from run to run.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..60 {
        let mut damaged = bytes.clone();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(random >> 16).expect("64 bits") % damaged.len();
        match round % 3 {
            0 => damaged[place] ^= 0xff,
            1 => damaged
                .iter_mut()
                .skip(place)
                .take(4096)
                .for_each(|byte| *byte = 0xa5),
            _ => damaged.truncate(place),
        }
        let path = folder.path().join(format!("{round}.redb"));
        fs::write(&path, &damaged).expect("written");
        let store = DiskPeerstore::open(&path).expect("opens all the same");
        assert!(store.peers().len() <= 200);
        if let Some(aside) = store.set_aside() {
            assert!(aside.exists(), "the damaged file is kept");
            assert_eq!(store.peers(), []);
        }
        store.add_addrs(&PeerId::random(), &[addr(1)], HOUR, now());
        assert!(store.flush().expect("writes") >= 1, "round {round}, byte {place}");
    }
}

/// The variable that makes the test below the writer.
const WRITER: &str = "SINEW_TEST_PEERSTORE";

/// Writes generation after generation of ten peers, and says which one is on disk.
fn write_for_ever(path: &Path) -> ! {
    let store = DiskPeerstore::open(path).expect("opens");
    let peers: [PeerId; 10] = std::array::from_fn(|_| PeerId::random());
    for generation in 0_u64.. {
        for peer in &peers {
            store.update(peer, &agent(&generation.to_string()), now());
        }
        store.flush().expect("writes");
        let mut out = std::io::stdout().lock();
        writeln!(out, "written {generation}")
            .and_then(|()| out.flush())
            .expect("read by the test");
    }
    unreachable!("generations do not end")
}

#[test]
fn a_process_killed_in_mid_write_leaves_what_was_committed() {
    if let Some(path) = env::var_os(WRITER) {
        write_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().expect("a folder");
    for kill_after in [1, 2, 3, 5, 8, 13] {
        let path = folder.path().join(format!("{kill_after}.redb"));
        let mut writer = Command::new(env::current_exe().expect("a test has a file"))
            .args([
                "--exact",
                "a_process_killed_in_mid_write_leaves_what_was_committed",
                "--nocapture",
            ])
            .env(WRITER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
        let written = lines.map(|line| line.expect("text"));
        // The test harness speaks on the same line before the first one.
        let mut written = written.filter_map(|line| {
            line.split_once("written ")
                .map(|(_, n)| n.parse::<u64>().expect("a number"))
        });
        let seen = written.nth(kill_after).expect("it writes");
        // The writer goes on meanwhile: this hits it at any point of a later generation.
        writer.kill().expect("runs");
        writer.wait().expect("ended");
        let store = DiskPeerstore::open(&path).expect("opens");
        assert_eq!(store.set_aside(), None, "a crash is no damage");
        let generations: Vec<u64> = store
            .peers()
            .iter()
            .map(|peer| {
                store
                    .info(peer, now())
                    .and_then(|info| info.agent)
                    .expect("an agent")
            })
            .map(|agent| agent.parse().expect("a number"))
            .collect();
        assert_eq!(generations.len(), 10);
        assert!(
            generations.iter().all(|one| *one == generations[0]),
            "one transaction: {generations:?}"
        );
        assert!(generations[0] >= seen, "{seen} was on disk");
    }
}
