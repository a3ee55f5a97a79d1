//! Single keys from the terminal. Line editing and echo are off while this lives; Ctrl-C stays a signal.

use std::io::Read;

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// The keys that were pressed, and the terminal's former mode, which dropping this restores.
#[derive(Debug)]
pub(crate) struct Keys {
    pressed: mpsc::Receiver<char>,
    former: Option<Termios>,
}

impl Keys {
    /// Starts to listen where standard input is a terminal; elsewhere no key ever comes.
    pub(crate) fn listen() -> Self {
        let (sender, pressed) = mpsc::channel(16);
        let input = std::io::stdin();
        let former = if isatty(&input) { tcgetattr(&input).ok() } else { None };
        if let Some(former) = &former {
            let mut mode = former.clone();
            mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            if tcsetattr(&input, OptionalActions::Now, &mode).is_ok() {
                // The thread ends with the process: a read from a terminal cannot be called off.
                std::thread::spawn(move || {
                    for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
                        if sender.blocking_send(char::from(byte)).is_err() {
                            return;
                        }
                    }
                });
            }
        }
        Self { pressed, former }
    }

    /// The next key; never where there is no terminal.
    pub(crate) async fn next(&mut self) -> char {
        match self.pressed.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }

    /// Whether keys can come at all.
    pub(crate) fn usable(&self) -> bool {
        self.former.is_some()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(former) = &self.former {
            // A terminal that is gone needs no mode.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, former);
        }
    }
}
