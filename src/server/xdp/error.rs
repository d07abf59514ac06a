//! Why queries cannot be taken from a device, and what helps.

use std::io;

/// Why queries cannot be taken from a device.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}; {}", .step.failed(), .step.remedy(.cause))]
pub struct XdpError {
    step: Step,
    /// What the system said.
    cause: io::Error,
}

/// What was about to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Finding the device.
    Find,
    /// Finding the addresses that it is about.
    Addresses,
    /// Loading the program.
    Load,
    /// Having the device run it.
    Attach,
    /// Making a socket with its memory.
    Socket,
    /// Binding it to a queue.
    Bind,
}

impl XdpError {
    pub(super) fn new(step: Step, cause: io::Error) -> Self {
        Self { step, cause }
    }
}

impl Step {
    fn failed(self) -> &'static str {
        match self {
            Self::Find => "the device cannot be used",
            Self::Addresses => "there is nothing to take",
            Self::Load => "the kernel does not take the program",
            Self::Attach => "the device does not run the program",
            Self::Socket => "there is no socket for it",
            Self::Bind => "a queue cannot be had",
        }
    }

    fn remedy(self, cause: &io::Error) -> &'static str {
        match (self, cause.raw_os_error()) {
            (_, Some(libc::EPERM | libc::EACCES)) => {
                "give the server CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF (deploy/xdp.conf)"
            }
            (Self::Addresses, Some(libc::EAFNOSUPPORT)) => {
                "let the server ask for addresses by AF_NETLINK (deploy/xdp.conf)"
            }
            (_, Some(libc::ENOSYS | libc::EAFNOSUPPORT)) => {
                "it takes a kernel with AF_XDP (Linux 5.9), and a unit that lets it be used (deploy/xdp.conf)"
            }
            (_, Some(libc::ENOBUFS | libc::ENOMEM)) => {
                "raise the limit of locked memory (LimitMEMLOCK=) by 4 MiB for each queue"
            }
            (Self::Find, Some(libc::ENODEV)) => {
                "name a network device of this machine in server.xdp"
            }
            (Self::Find, _) => "name an Ethernet device in server.xdp",
            (Self::Addresses, _) => "mend server.listen, or leave the device out of server.xdp",
            (Self::Attach, Some(libc::EOPNOTSUPP)) => {
                "its driver cannot; leave it out of server.xdp"
            }
            (Self::Attach, Some(libc::EBUSY)) => {
                "it runs that of another process: stop this, or remove what is left of it (ip link set dev DEVICE xdp \
                 off); if that is of the server that this one replaces, restart without --replace"
            }
            (Self::Attach, Some(libc::ERANGE | libc::EINVAL)) => {
                "lower its MTU (ip link set dev DEVICE mtu 1500), or see what its driver says in the kernel's log"
            }
            (Self::Bind, Some(libc::EBUSY)) => "stop the other program that takes its frames",
            _ => "see docs/xdp.md, or leave the device out of server.xdp",
        }
    }
}
