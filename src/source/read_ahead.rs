//! Reading a file on a thread of its own, ahead of the parser.

use super::error::{Cause, Problem};
use super::read::{CHUNK, Limits, ReadReport, read, read_buffers};
use std::fmt::Display;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;

/// How many chunks may wait for the sink.
const AHEAD: usize = 2;

/// A chunk of the content, and what was made of it.
type Chunk<T> = (Vec<u8>, Option<T>);

/// What takes the chunks of the content, with what was made of each.
type Sink<'a, T, E> = dyn FnMut(&[u8], Option<T>) -> Result<(), E> + 'a;

/// [`read`], but the file is read and hashed on a second thread while the sink is at work. What
/// comes of it is the same.
///
/// Where the sink is the slower one, the second thread does some of its work: what `prepare` makes
/// of a chunk goes to the sink with it.
pub fn read_ahead<T: Send, E: Display>(
    path: &Path,
    limits: &Limits,
    prepare: &(dyn Fn(&[u8]) -> T + Sync),
    sink: &mut Sink<'_, T, E>,
) -> Result<ReadReport, Problem> {
    let is_short = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= CHUNK as u64);
    if is_short {
        return read(path, limits, &mut |chunk| sink(chunk, None));
    }
    let (waiting, chunks) = sync_channel::<Chunk<T>>(AHEAD);
    let (used, empty) = channel::<Vec<u8>>();
    thread::scope(|scope| {
        let work = move || {
            read_buffers(path, limits, &mut |chunk| {
                hand_on(chunk, &waiting, prepare)?;
                Ok::<_, &str>(empty.try_recv().unwrap_or_default())
            })
        };
        let Ok(reader) = thread::Builder::new().name("read".to_owned()).spawn_scoped(scope, work)
        else {
            return read(path, limits, &mut |chunk| sink(chunk, None));
        };
        let fault = take(chunks, &used, sink).err();
        match (reader.join().unwrap_or_else(|panic| resume_unwind(panic)), fault) {
            (Err(problem), _) if problem.cause == Cause::Torn => Err(problem),
            (_, Some(fault)) => Err(Problem { file: path.to_owned(), cause: Cause::Fatal(fault) }),
            (outcome, None) => outcome,
        }
    })
}

/// Hands a chunk to the sink; prepares it if the sink has enough to do.
fn hand_on<T>(
    chunk: Vec<u8>,
    waiting: &SyncSender<Chunk<T>>,
    prepare: &dyn Fn(&[u8]) -> T,
) -> Result<(), &'static str> {
    const GONE: &str = "the reader's content is not wanted";
    match waiting.try_send((chunk, None)) {
        Ok(()) => Ok(()),
        Err(TrySendError::Disconnected(_)) => Err(GONE),
        Err(TrySendError::Full((chunk, _))) => {
            let prepared = prepare(&chunk);
            waiting.send((chunk, Some(prepared))).map_err(|_| GONE)
        }
    }
}

/// Gives the chunks to the sink, and their buffers back. Ends, and so ends the reading, at an
/// error of the sink.
fn take<T, E: Display>(
    chunks: Receiver<Chunk<T>>,
    used: &Sender<Vec<u8>>,
    sink: &mut Sink<'_, T, E>,
) -> Result<(), String> {
    for (chunk, prepared) in chunks {
        sink(&chunk, prepared).map_err(|error| error.to_string())?;
        // The reader may be done and gone.
        let _ = used.send(chunk);
    }
    Ok(())
}
