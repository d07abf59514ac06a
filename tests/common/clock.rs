//! A clock of the day that is wrong, for programs that a test starts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Setup;

/// A clock of the day that is off by as much as a file says.
const CLOCK: &str = r#"
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <fcntl.h>
    #include <stdlib.h>
    #include <time.h>
    #include <unistd.h>

    int clock_gettime(clockid_t clock, struct timespec *now) {
        static int (*real)(clockid_t, struct timespec *);
        if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
        int result = real(clock, now);
        if (clock != CLOCK_REALTIME) return result;
        char text[32] = {0};
        int file = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
        if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atoll(text);
        close(file);
        return result;
    }
"#;

/// The library that programs are started with, in the folder of a test.
pub(crate) struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right; `None` if there is no compiler.
    pub(crate) fn new(setup: &Setup) -> Option<Self> {
        let [source, library, offset] = ["clock.c", "clock.so", "offset"].map(|f| setup.path(f));
        fs::write(&source, CLOCK).expect("the folder is ours");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
        command.output().is_ok_and(|output| output.status.success()).then_some(())?;
        let clock = Self { library, offset };
        clock.set(setup, 0);
        Some(clock)
    }

    /// Sets it: so many seconds from now.
    pub(crate) fn set(&self, setup: &Setup, offset: i64) {
        // Whole at any time.
        setup.write("offset.new", offset.to_string());
        fs::rename(setup.path("offset.new"), &self.offset).expect("it is ours");
    }

    /// The variables of the environment of a program that is to have it.
    pub(crate) fn environment(&self) -> [(&str, &str); 2] {
        [
            ("LD_PRELOAD", self.library.to_str().expect("it is text")),
            ("TEST_CLOCK", self.offset.to_str().expect("it is text")),
        ]
    }

    /// Has a program use it.
    pub(crate) fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.environment())
    }
}
