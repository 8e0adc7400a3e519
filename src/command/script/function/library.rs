//! The libraries of the server, and one that is being loaded.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::command::script::flags::ScriptFlags;
use crate::command::script::pool::Pace;
use crate::lua::Reference;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// How long a library that a client loads may take to register its functions.
pub(super) const LOAD_TIME: Duration = Duration::from_millis(500);

/// A library.
pub(in crate::command::script) struct Library {
    /// Its own, never used twice.
    pub(in crate::command::script) number: u64,
    pub(super) name: Vec<u8>,
    pub(super) code: Bytes,
    /// Bytes of the code before the source text proper.
    pub(super) skip: usize,
    pub(super) functions: Vec<Arc<Function>>,
    /// It has been deleted or replaced.
    pub(in crate::command::script) gone: AtomicBool,
    /// How long its text may run.
    pub(in crate::command::script) timeout: Duration,
}

/// One function of a library.
pub(super) struct Function {
    pub(super) name: Vec<u8>,
    pub(super) description: Option<Vec<u8>>,
    pub(super) flags: ScriptFlags,
    /// How long its runs take.
    pub(super) pace: Pace,
    /// As of a script.
    pub(super) strays: AtomicBool,
}

impl Library {
    /// The source text.
    pub(in crate::command::script) fn source(&self) -> &[u8] {
        &self.code[self.skip..]
    }
}

/// All libraries.
#[derive(Default)]
pub struct Functions {
    table: RwLock<Table>,
    numbers: AtomicU64,
}

/// Libraries by name, and their functions by name in small letters.
#[derive(Clone, Default)]
pub(super) struct Table {
    pub(super) libraries: BTreeMap<Vec<u8>, Arc<Library>>,
    pub(super) functions: HashMap<Vec<u8>, (Arc<Library>, Arc<Function>)>,
}

impl Functions {
    /// Looks at the libraries.
    pub(super) fn read<R>(&self, look: impl FnOnce(&Table) -> R) -> R {
        look(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the libraries, or none of them if `change` fails. What is no longer there afterwards is marked.
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut Table) -> Result<R, String>,
    ) -> Result<R, String> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = table.clone();
        let answer = change(&mut changed)?;
        for (name, old) in &table.libraries {
            if !changed.libraries.get(name).is_some_and(|new| Arc::ptr_eq(new, old)) {
                old.gone.store(true, Ordering::Release);
            }
        }
        *table = changed;
        Ok(answer)
    }

    /// A number that no library has.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// How many libraries and functions there are.
    pub fn count(&self) -> (usize, usize) {
        self.read(|table| (table.libraries.len(), table.functions.len()))
    }

    /// Bytes that the libraries' texts and names take.
    pub fn bytes(&self) -> usize {
        let of_function = |function: &Arc<Function>| {
            size_of::<Function>() + function.name.len() + function.description.as_ref().map_or(0, Vec::len)
        };
        let of_library = |library: &Arc<Library>| {
            let functions: usize = library.functions.iter().map(of_function).sum();
            size_of::<Library>() + library.name.len() + library.code.len() + functions
        };
        self.read(|table| table.libraries.values().map(of_library).sum())
    }

    /// Whether the function of this name may take long.
    pub(in crate::command::script) fn is_long(&self, name: &[u8]) -> bool {
        self.find(name).is_some_and(|(_, function)| !function.pace.is_short())
    }

    /// What the function of this name declares.
    pub(in crate::command::script) fn flags(&self, name: &[u8]) -> Option<ScriptFlags> {
        self.find(name).map(|(_, function)| function.flags)
    }

    /// The function of this name, in letters of any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<(Arc<Library>, Arc<Function>)> {
        self.read(|table| table.functions.get(&name.to_ascii_lowercase()).cloned())
    }
}

impl Table {
    /// Takes a library out.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<Library>> {
        let library = self.libraries.remove(name)?;
        for function in &library.functions {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        Some(library)
    }

    /// Puts a library in, in the place of one of its name if that may be; `exists` says that it may not. Of functions
    /// of the library whose names differ in case only, the first counts.
    pub(super) fn insert(
        &mut self,
        library: &Arc<Library>,
        replace: bool,
        exists: fn(&str) -> String,
    ) -> Result<(), String> {
        if self.libraries.contains_key(&library.name) {
            if !replace {
                return Err(exists(&String::from_utf8_lossy(&library.name)));
            }
            self.remove(&library.name);
        }
        for function in &library.functions {
            let name = function.name.to_ascii_lowercase();
            let found = (Arc::clone(library), Arc::clone(function));
            let (owner, _) = self.functions.entry(name).or_insert(found);
            if !Arc::ptr_eq(owner, library) {
                let name = String::from_utf8_lossy(&function.name);
                return Err(format!("ERR Function {name} already exists"));
            }
        }
        self.libraries.insert(library.name.clone(), Arc::clone(library));
        Ok(())
    }
}

/// A library whose text runs.
pub(in crate::command::script) struct Loading {
    deadline: Instant,
    functions: RefCell<Vec<Registered>>,
}

/// A function that was registered.
pub(in crate::command::script) struct Registered {
    pub(in crate::command::script) name: Vec<u8>,
    pub(in crate::command::script) function: Reference,
    pub(super) description: Option<Vec<u8>>,
    pub(super) flags: ScriptFlags,
}

impl Loading {
    pub(in crate::command::script) fn new(timeout: Duration) -> Loading {
        Loading { deadline: Instant::now() + timeout, functions: RefCell::default() }
    }

    /// Whether the text has run too long.
    pub(in crate::command::script) fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// Whether a function has this name.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.functions.borrow().iter().any(|registered| registered.name == name)
    }

    /// An answer for each function that was registered.
    pub(super) fn map<R>(&self, of: impl FnMut(&Registered) -> R) -> Vec<R> {
        self.functions.borrow().iter().map(of).collect()
    }

    pub(super) fn add(&self, registered: Registered) {
        self.functions.borrow_mut().push(registered);
    }

    /// What was registered.
    pub(in crate::command::script) fn into_functions(self) -> Vec<Registered> {
        self.functions.into_inner()
    }
}
