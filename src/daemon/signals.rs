//! The signals that the server obeys.

use super::command::Command;
use crate::util::signals;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Sender;

pub(super) struct Signals {
    hangup: Signal,
    user1: Signal,
    user2: Signal,
    alarm: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on, these signals no longer end the process by themselves.
    pub(super) fn listen() -> std::io::Result<Self> {
        let signals = Self {
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            alarm: signal(SignalKind::alarm())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        signals::release();
        Ok(signals)
    }

    /// Waits for a signal to stop.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Sends a command for each signal, until the loop has ended.
    pub(super) async fn send_to(mut self, commands: Sender<Command>) {
        loop {
            let command = tokio::select! {
                _ = self.hangup.recv() => Command::Reload,
                _ = self.user1.recv() => Command::LogStatistics { reset: false },
                _ = self.user2.recv() => Command::LogStatistics { reset: true },
                _ = self.alarm.recv() => Command::Check,
                _ = self.terminate.recv() => Command::Stop,
                _ = self.interrupt.recv() => Command::Stop,
            };
            if commands.send(command).await.is_err() {
                return;
            }
        }
    }
}
