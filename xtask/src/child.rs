//! A process at the head of a group of its own, which ends with its owner.

use std::{
    fs::File,
    io,
    process::{Child as Process, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

/// A running process; dropping it ends its whole group.
pub(crate) struct Child(Process);

impl Child {
    /// Starts it with pipes for stdin and stdout.
    pub(crate) fn piped(command: Command, stderr: File) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        let mut child = start(command, Stdio::piped(), Stdio::piped(), stderr)?;
        let pipes = child.0.stdin.take().zip(child.0.stdout.take());
        let (stdin, stdout) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((child, stdin, stdout))
    }

    /// Starts it without stdin, and with stdout in a file.
    pub(crate) fn logged(command: Command, stdout: File, stderr: File) -> io::Result<Self> {
        start(command, Stdio::null(), stdout.into(), stderr)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_none() {
            kill_group(&mut self.0);
            let _ = self.0.wait();
        }
    }
}

fn start(mut command: Command, stdin: Stdio, stdout: Stdio, stderr: File) -> io::Result<Child> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map(Child)
}

#[cfg(unix)]
fn kill_group(child: &mut Process) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended by itself in the meantime.
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

#[cfg(not(unix))]
fn kill_group(child: &mut Process) {
    let _ = child.kill();
}
