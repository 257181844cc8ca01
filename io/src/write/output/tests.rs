//! Writing to stores in parts, with failures at every step.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, ObjectMeta, PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart,
};

use super::super::destination::Destination;
use super::super::single;
use super::*;
use crate::manifest::Part;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    Part(usize),
    End,
    /// Whoever joins parts is slow: before they are there somebody else ends the write, and another one puts a newer file there.
    Overtaken,
}

/// What was asked of uploads in parts; of the parts their sizes.
#[derive(Debug, Default)]
struct Asked {
    parts: Vec<usize>,
    completed: usize,
    aborted: usize,
}

/// A store in memory that refuses a step of each upload in parts.
#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    fault: Fault,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Fault,
    asked: Arc<Mutex<Asked>>,
}

fn refusal() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "the line is down".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

/// As `async_trait` writes it out, which this crate does without.
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut asked = self.asked.lock().unwrap();
        let fails = self.fault == Fault::Part(asked.parts.len());
        asked.parts.push(data.content_length());
        if fails { Box::pin(ready(Err(refusal()))) } else { self.inner.put_part(data) }
    }

    fn complete<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, object_store::Result<PutResult>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        self.asked.lock().unwrap().completed += 1;
        if self.fault == Fault::End { Box::pin(ready(Err(refusal()))) } else { self.inner.complete() }
    }

    fn abort<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, object_store::Result<()>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        self.asked.lock().unwrap().aborted += 1;
        self.inner.abort()
    }
}

impl ObjectStore for Faulty {
    fn put_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        location: &'life1 Key,
        payload: PutPayload,
        opts: PutOptions,
    ) -> BoxFuture<'async_trait, object_store::Result<PutResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            if self.fault == Fault::Overtaken && location.as_ref().ends_with("/joined") {
                let there: Vec<ObjectMeta> = self.inner.list(None).try_collect().await?;
                for object in there {
                    self.inner.delete(&object.location).await?;
                }
                self.inner.put(&Key::from("out/t.csv"), "the newer one".into()).await?;
            }
            self.inner.put_opts(location, payload, opts).await
        })
    }

    fn put_multipart_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        location: &'life1 Key,
        opts: PutMultipartOptions,
    ) -> BoxFuture<'async_trait, object_store::Result<Box<dyn MultipartUpload>>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let inner = self.inner.put_multipart_opts(location, opts).await?;
            let upload = FaultyUpload { inner, fault: self.fault, asked: self.asked.clone() };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        })
    }

    fn get_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        location: &'life1 Key,
        options: GetOptions,
    ) -> BoxFuture<'async_trait, object_store::Result<GetResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.inner.get_opts(location, options)
    }

    fn delete_stream(&self, locations: BoxStream<'static, object_store::Result<Key>>) -> BoxStream<'static, object_store::Result<Key>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_delimiter<'life0, 'life1, 'async_trait>(
        &'life0 self,
        prefix: Option<&'life1 Key>,
    ) -> BoxFuture<'async_trait, object_store::Result<ListResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.inner.list_with_delimiter(prefix)
    }

    fn copy_opts<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        from: &'life1 Key,
        to: &'life2 Key,
        options: CopyOptions,
    ) -> BoxFuture<'async_trait, object_store::Result<()>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        self.inner.copy_opts(from, to, options)
    }
}

fn folder(fault: Fault) -> (Folder, Arc<Mutex<Asked>>) {
    let asked = Arc::<Mutex<Asked>>::default();
    let store = Arc::new(Faulty { inner: InMemory::new(), fault, asked: asked.clone() });
    let remote = Remote { store, base: "faulty://".into(), key: "out".into(), lists: true };
    (Folder { name: "faulty://out".into(), address: Address::Remote(remote) }, asked)
}

fn write(folder: &Folder, content: &[u8]) -> Result<u64> {
    let mut output = Output::create(folder, "part.bin")?;
    output.write_all(content).expect("it is memory");
    output.finish()
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn what_is_large_is_uploaded_in_parts_and_seen_whole() {
    for size in [0, 1, SINGLE, SINGLE + 1, 5 * UPLOAD_PART, 9 * UPLOAD_PART + 7] {
        let content = content(size);
        let (faultless, asked) = folder(Fault::Nothing);
        for folder in [&faultless, &Folder::of("memory://uploaded-in-parts").unwrap()] {
            assert_eq!(write(folder, &content).unwrap(), size as u64);
            assert_eq!(folder.read("part.bin").unwrap().as_ref(), Some(&content), "{size} bytes");
        }
        let asked = asked.lock().unwrap();
        let parts = if size > SINGLE { size.div_ceil(UPLOAD_PART) } else { 0 };
        assert_eq!((asked.parts.len(), asked.completed, asked.aborted), (parts, usize::from(parts > 0), 0), "{size} bytes");
        // Stores want parts of one size, but for the last.
        assert!(asked.parts.iter().rev().skip(1).all(|part| *part == UPLOAD_PART), "{:?}", asked.parts);
    }
}

#[test]
fn an_upload_that_fails_leaves_what_was_there_and_no_parts() {
    for fault in [Fault::Part(0), Fault::Part(3), Fault::Part(8), Fault::End] {
        let (folder, asked) = folder(fault);
        for before in [None, Some(content(100))] {
            if let Some(before) = &before {
                write(&folder, before).unwrap();
            }
            *asked.lock().unwrap() = Asked::default();
            let error = write(&folder, &content(9 * UPLOAD_PART)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unwritable { .. }), "{error}");
            assert!(error.to_string().contains("the line is down"), "{error}");
            assert_eq!(folder.read("part.bin").unwrap(), before);
            assert_eq!(folder.list().unwrap().len(), usize::from(before.is_some()));
            let asked = asked.lock().unwrap();
            assert_eq!((asked.completed, asked.aborted), (usize::from(fault == Fault::End), 1), "{fault:?}");
        }
    }
}

#[test]
fn who_joins_parts_too_late_leaves_what_is_newer() {
    for overwrite in [true, false] {
        let (mut folder, _) = folder(Fault::Overtaken);
        // Parts are read by their names, out of the process's own store.
        folder.name = format!("memory://overtaken-{overwrite}");
        let to = Destination::file("/out/t.csv", "w", overwrite).unwrap();
        let part = Part { path: "part".into(), staged: format!("{}/part-1", to.staging()), rows: 1, bytes: 5 };
        for below in [to.started(), part.staged.clone()] {
            let mut output = Output::create(&folder, &below).unwrap();
            output.write_all(b"older").unwrap();
            output.finish().unwrap();
        }
        crate::put(&folder.name_of(&part.staged), "older").unwrap();
        // A file that may replace nothing was claimed, and is published by whoever claimed it; one that may replace is missing its parts.
        assert_eq!(single::publish(&to, &folder, "t.csv", &[part]).is_ok(), !overwrite);
        assert_eq!(folder.read("t.csv").unwrap().unwrap(), b"the newer one", "overwrite {overwrite}");
        assert_eq!(folder.list().unwrap().len(), 1, "nothing hidden is left");
    }
}
