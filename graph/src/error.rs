//! Failures as data. A failure is built where it is known, travels through every layer unchanged, and is printed once.
//!
//! It refuses to know executors and formats: a code, words for a person, places, a fix.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::TaskPlace;

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $page:literal;)*) => {
        /// The kind of a failure. Each has a page: `partita explain E0107`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code { $(#[doc = $title] $name = $number,)* }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// One line: what the code stands for.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// The page that `partita explain` prints: what happened, why, what to do.
            pub fn page(self) -> &'static str {
                match self { $(Code::$name => $page,)* }
            }
        }
    };
}

codes! {
    NoSuchFile = 101, "a path does not exist",
        "The path was looked up before any task was made, and nothing is there.\nCheck the spelling and the working directory; relative paths start at the directory in which the program runs.";
    IsDirectory = 102, "a path is a directory, not a file",
        "A reader was given a directory. Name the files in it with a pattern, for example \"data/*.csv\".";
    NoMatch = 103, "a pattern matches no file",
        "The pattern is well formed, but no file matches it. `*` matches within one folder, `**` through folders, `?` one character, `[ab]` one of several.";
    Unreadable = 104, "a file or object could not be read",
        "The storage refused or broke off. Temporary refusals were retried with growing pauses first; the cause says what the storage answered last.";
    EmptyInput = 105, "the input holds no header and no data",
        "A file of zero bytes has no columns. If an empty file among others is normal for you, nothing needs to be done: only an input that is empty altogether is refused.";
    DuplicateColumn = 106, "two columns would have the same name",
        "Column names identify columns, so each may occur once. Rename one of them, or give one an alias.";
    ColumnNotFound = 107, "a column does not exist",
        "The schema is known at every step, so this is found before any work starts. Names are case-sensitive and are never changed behind your back.";
    InvalidOption = 108, "an option has a value that cannot be used",
        "The message names the option, the value and what would be accepted.";
    TypeMismatch = 109, "an expression does not fit the type of its column",
        "The operation is not defined for the column's type, for example the mean of text. Cast the column or leave it out.";
    Parse = 110, "a cell is not what its column's type says",
        "You declared the type of the column, and a cell does not fit. The message shows file, byte, row and cell. Declare a wider type, or add the text to the null values.";
    RaggedRow = 111, "a row has more or fewer fields than the header",
        "No row is dropped or padded silently. A stray separator, a quote that is never closed or the wrong separator are the usual reasons.";
    InvalidUtf8 = 112, "text is not valid UTF-8",
        "The file was probably written in another encoding. Convert it, or read it with `encoding(Encoding::Lossy)`, which replaces what cannot be decoded.";
    SchemaMismatch = 113, "files of one input do not have the same columns",
        "All files of one input are one table, so their headers must agree in names and order.";
    Unsupported = 114, "an operation is not available here",
        "The message says what is missing and what can be written instead.";
    Corrupt = 115, "compressed data is damaged or cut off",
        "The file could not be decompressed to its end.";
    NotUnique = 116, "keys of a join occur more than once",
        "You said that each key is there once on one side of the join, and it is not. The message names the side and a key. Keep one row of each key first, or join without that check.";
    NotSorted = 117, "rows are not in the order that an operation needs",
        "Windows of time look at neighbouring rows, so the rows must ascend in the column of times, through all partitions, without nulls. Sort the frame by it first: .sort([\"t\"]).";
    ShapeMismatch = 121, "shapes do not fit together",
        "Shapes are compared from their last axes on; two lengths fit when they are equal or one of them is 1. The message shows both shapes. Reshape, transpose or slice one of them; where a chunking is the reason, rechunk.";
    AxisOutOfRange = 122, "an axis does not exist",
        "Axes are numbered from 0, and from -1 backwards. The message says how many the array has.";
    UnknownSizes = 123, "the sizes of chunks are not known yet",
        "How long a chunk becomes is only known after it was made, for example after a boolean mask. Let the sizes be found first with `compute_chunk_sizes()`, which runs the array.";
    EmptyReduction = 124, "a reduction of nothing has no value",
        "The smallest of no numbers does not exist. Leave the empty axis out, or check the shape first.";
    IndexOutOfRange = 125, "a place in an array does not exist",
        "Places along an axis are numbered from 0, and from -1 backwards. The message says how long the axis is. Bounds of slices, unlike single places, may lie beyond the ends.";
    SingularMatrix = 126, "a matrix has no inverse or no factor of this form",
        "A system of equations with this matrix has no solution, or more than one; or the matrix is not positive definite, which Cholesky's factors need. Look for rows or columns that depend on each other, or use `pinv`: its product with the right-hand sides is the nearest solution.";
    Damaged = 131, "a file is damaged, cut off or of another format",
        "The file does not hold what its format says. It may have been cut off while it was copied or written, changed while it was read, or be of another format than its name. The message says where reading stopped; the cause is the decoder's own.";
    OutputExists = 132, "an output is there already",
        "Nothing is overwritten unless you ask for it: say `overwrite(true)` in the options, or name another folder. With `overwrite(true)` the old files can be read until the new ones are complete.";
    Unwritable = 133, "an output could not be written",
        "The storage refused: no space, no permission, or a kind of store that cannot be written. Nothing of the output can be seen by readers; what was written of it is removed by the next write to the same place.";
    PartsMissing = 134, "parts that were written are not there any more",
        "Tasks wrote their parts, and the task that publishes them does not find them. Usually the workers do not see the same storage: write to s3:// or to a folder that all of them share. Another write to the same place may also have removed them.";
    KilledWorker = 201, "a task was running each time a worker died",
        "The task was running on several workers when they died, so it is no longer tried. Memory is the usual reason: smaller blocks or a larger limit help.";
    Panicked = 202, "a task panicked",
        "User code or a library inside a task panicked. Other tasks are not touched; the message is the panic's own.";
    Cancelled = 203, "the computation was cancelled",
        "It was interrupted or its handle was cancelled. Nothing was left behind.";
    MemoryTooSmall = 204, "a task needs more memory than the limit allows",
        "One chunk with its inputs does not fit under the limit. Use smaller blocks or a larger limit.";
    NoWorkers = 205, "no worker can run the task",
        "Nothing is connected, or nothing that fits the task's restrictions.";
    BlockingInAsync = 206, "a blocking call inside an asynchronous runtime",
        "Blocking the only thread of a current-thread runtime would stop it for good. Use the asynchronous twin: `.compute_async().await`.";
    SpillFailed = 207, "spilled data could not be written or read back",
        "The folder for spilled data is full, read-only or gone. Give another with `local_directory`.";
    UnknownOperator = 208, "an operator is not registered in this program",
        "The graph names an operator that this program does not contain. Start the worker from the program that defines it.";
    ClosureOnCluster = 209, "a closure cannot be sent to other processes",
        "Closures run in this process only. Make it a named function with `#[task]`.";
    TaskTimeout = 210, "a task ran longer than it may",
        "The task has a time limit and passed it. Its operator was told to stop; its thread is free again when it does. Raise the limit, or make the tasks smaller.";
    Unreachable = 211, "an address does not answer",
        "Nothing accepts connections there, or a firewall is in between. Check host and port, and that `partita scheduler` runs.";
    WrongProtocol = 212, "the other side does not speak partita's protocol",
        "Something listens at the address, but it is no partita scheduler or worker, or one side encrypts and the other does not. The scheduler's control port is 8786 by default; 8787 is for HTTP.";
    VersionMismatch = 213, "two programs do not fit together",
        "The protocol has its own number, and both sides must speak the same one; a worker must also contain every operator that its scheduler gives it. Start both from the same release, or workers from the program that defines the operators.";
    NotTrusted = 214, "a certificate or token was refused",
        "The certificate has expired, comes from another cluster, or is for another role; or the join token is wrong or used up. Ask the scheduler for a new token, or use its scheduler file.";
    DuplicateName = 215, "a name is taken",
        "Names of connected workers are unique, so that restrictions and messages mean one of them. Choose another, or leave it out to have one made.";
    PortTaken = 216, "an address cannot be listened on",
        "Another program uses the port, or the host is not one of this machine's. Choose another port, or 0 for any that is free.";
    TooLarge = 217, "a message is larger than is accepted",
        "Every decoder has limits, so that no peer can make another run out of memory. The message names the limit.";
    NotEncodable = 218, "a value cannot be sent to another process",
        "The value has no form as bytes, so it can be neither sent nor spilled. Keep it inside one task, or give its type a codec.";
    UnknownSetting = 219, "a setting does not exist",
        "Settings are read from flags, the environment, the project's file and the user's file; `partita config list` shows all of them.";
    MissingOnWorkers = 220, "a file is not on every worker",
        "Workers read files themselves, so a path must exist wherever tasks run. Use storage that all of them see, for example s3://, or start workers on the host that has the file.";
    Disconnected = 221, "the scheduler is gone",
        "The connection broke and was not restored in time. Results that were on the cluster are lost with it; submit again once the scheduler runs.";
    Insecure = 222, "an unencrypted connection was refused",
        "Off this host, connections are encrypted and both sides prove who they are. Plain connections need `--insecure`, and off loopback a second confirmation.";
    WorkerStart = 223, "a worker could not be started",
        "The process ended before it had joined the scheduler. The message carries what it said last.";
    NotHeld = 231, "a lock or lease is used or given back by who does not have it",
        "It was given back before, was never acquired, or belongs to another; a lease is also gone when its semaphore was closed, and cannot be relied on when it was not confirmed for as long as it lasts. Give back once for each acquire, from the process and owner that acquired; a guard that is dropped does so by itself.";
    AlreadyHeld = 232, "a lock is asked for by who has it",
        "Locks are not re-entrant: whoever has one and waits for it would wait for itself. Release it first, or hand the guard on to what needs it. Two tasks of one process are two owners and wait for each other as they should.";
    OtherNumber = 233, "a semaphore or queue has another size than is asked for",
        "Whoever comes first fixes `max_leases` of a semaphore or `maxsize` of a queue for as long as it is in use. Use one number wherever the name is used, or another name.";
    SemaphoreClosed = 234, "a semaphore was closed while it was waited for",
        "Somebody closed the semaphore. All its leases have ended, and whoever waited for one is told so. Acquiring again makes a new semaphore of that name.";
    CoordinationFull = 235, "no more locks, queues, values or calls are kept",
        "The scheduler keeps locks, semaphores, events, variables, queues and topics in memory, so there are limits: to objects of each kind, to the bytes of all values, and to what one process may hold and wait for. The message names the limit. Give queues a `maxsize`, delete variables and close what is not used, and keep large data in chunks.";
    ActorLost = 236, "an actor is lost with its worker",
        "An actor's state lives in one process and nowhere else. When that process ends the state is gone, and calls say so instead of working on a state that began anew. Make the actor again from what was saved outside of it. A call whose result was lost on its way says the same while the actor lives, because it is not made a second time: the state has changed already, and further calls go on with it.";
    TooManyWaiting = 237, "too many tasks wait inside for others",
        "A task that waits for what it has submitted, or for a lock, gives its place to other tasks, but keeps a thread of its process; so the number of tasks that wait at a time is limited, in one process to 2,000 unless set otherwise. Let tasks return what others go on with instead of waiting for it, or submit from fewer tasks at a time. A task that submits itself again and again ends here too.";
    WaitsForItself = 238, "a task waits for its own result",
        "The run that the task waits for cannot end before the task does, because it needs the task's own chunk. Wait for it outside of the task, or let the task depend on less. Tasks that wait for each other in a circle are not found out: they wait until one of them is cancelled or its time limit is over.";
    UserFunction = 301, "a user's function returned an error",
        "The function ran and returned an error; the cause is the function's own.";
    WrongInference = 302, "a column's type was guessed wrong",
        "The type was inferred from a sample and later data did not fit. The run widens the column (integer, then float, then text) by itself and says so; declare the type to avoid the second pass.";
    WrongCut = 303, "a file was cut inside a quoted field",
        "Blocks are cut at line ends without reading the whole file first. This file has line ends inside quotes where the sample had none, so the run looks at the whole file once and starts again by itself.";
    Internal = 900, "a fault of partita's own",
        "This should not happen. Please report it with the message.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04}", *self as u16)
    }
}

/// A line of the user's own program, and the step that it wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The file as the compiler saw it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The step, for example `.filter(…)`.
    pub step: String,
}

impl Origin {
    /// The caller's place; use it under `#[track_caller]`.
    #[track_caller]
    pub fn here(step: &str) -> Self {
        Self::at(Location::caller(), step)
    }

    /// A place that was caught earlier.
    pub fn at(location: &Location<'_>, step: &str) -> Self {
        Self { file: location.file().into(), line: location.line(), column: location.column(), step: step.into() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)?;
        if self.step.is_empty() { Ok(()) } else { write!(f, "  in {}", self.step) }
    }
}

/// A place in the data that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPlace {
    /// File or object.
    pub file: String,
    /// Offset of the record or cell, in bytes from the file's start (after decompression).
    pub byte: Option<u64>,
    /// Row, from 1, the header counted as row 1.
    pub row: Option<u64>,
    /// Column name.
    pub column: Option<String>,
    /// The cell's text, cut to a readable length.
    pub cell: Option<String>,
}

/// Why something did not work: typed data, kept through every layer.
///
/// ```
/// use partita_graph::{Code, Failure};
/// let failure = Failure::new(Code::ColumnNotFound, "column `dep_dely` does not exist")
///     .detail("did you mean", "`dep_delay`");
/// assert_eq!(
///     failure.to_string(),
///     "error[E0107]: column `dep_dely` does not exist\n  did you mean: `dep_delay`"
/// );
/// ```
///
/// It is one pointer, so that functions that hardly ever fail do not pay for it; its facts are reached as its own fields.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure(Box<Facts>);

/// What is known of a [`Failure`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The kind.
    pub code: Code,
    /// What happened, in the user's words.
    pub what: String,
    /// Labelled lines below it.
    pub details: Vec<(String, String)>,
    /// A fix to paste.
    pub help: Option<String>,
    /// The user's own line.
    pub origin: Option<Origin>,
    /// Where in the data.
    pub data: Option<DataPlace>,
    /// Which task.
    pub task: Option<TaskPlace>,
    /// What led to it.
    pub cause: Option<Box<Failure>>,
    /// For the planner that made the task: how to plan again so that this does not happen. Opaque to everything between.
    pub advice: Option<Vec<u8>>,
}

impl Deref for Failure {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

impl Failure {
    /// A failure of this kind.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        let what = what.into();
        Self(Box::new(Facts {
            code,
            what,
            details: Vec::new(),
            help: None,
            origin: None,
            data: None,
            task: None,
            cause: None,
            advice: None,
        }))
    }

    /// A fault of our own.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(Code::Internal, what)
    }

    /// What a task that panicked failed with: the panic's own message, or the failure that it carries.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Self {
        if let Some(failure) = panic.downcast_ref::<Failure>() {
            return failure.clone();
        }
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into());
        Self::new(Code::Panicked, format!("a task panicked: {text}"))
    }

    /// Adds a labelled line.
    pub fn detail(mut self, label: &str, text: impl Into<String>) -> Self {
        self.details.push((label.into(), text.into()));
        self
    }

    /// Adds the fix.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds the user's line, unless a nearer one is known.
    pub fn origin(mut self, origin: Option<&Origin>) -> Self {
        if self.origin.is_none() {
            self.origin = origin.cloned();
        }
        self
    }

    /// Adds the place in the data.
    pub fn data(mut self, place: DataPlace) -> Self {
        self.data = Some(place);
        self
    }

    /// Adds the task. Where one is known it stays, and what is not known of it yet is added.
    pub fn task(mut self, place: TaskPlace) -> Self {
        match &mut self.task {
            Some(known) => known.complete(place),
            none => *none = Some(place),
        }
        self
    }

    /// Adds how to plan again.
    pub fn advice(mut self, advice: Vec<u8>) -> Self {
        self.advice = Some(advice);
        self
    }

    /// Adds what led to it.
    pub fn cause(mut self, cause: Failure) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }
}

impl fmt::Display for DataPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_empty() { "the data" } else { &self.file })?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        if let Some(byte) = self.byte {
            write!(f, ", byte {byte}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        match &self.cell {
            Some(cell) => write!(f, ": {cell:?}"),
            None => Ok(()),
        }
    }
}

/// Text of several lines stays together: what follows the first line stands further in than any label.
fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, indented(&self.what))?;
        if let Some(origin) = &self.origin {
            write!(f, "\n  at {origin}")?;
        }
        if let Some(data) = &self.data {
            write!(f, "\n  in {data}")?;
        }
        for (label, text) in &self.details {
            write!(f, "\n  {label}: {}", indented(text))?;
        }
        if let Some(task) = &self.task {
            write!(f, "\n  task: {task}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {}", indented(help))?;
        }
        if let Some(cause) = &self.cause {
            write!(f, "\n  cause: {}", cause.to_string().replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    /// The same text: `main` prints the debug form of an error that it returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
