//! Blob stores that break one promise each.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::BytesMut;
use filestore::backend::{BlobInfo, BlobStore};
use filestore::conformance::{Fixture, blobs as cases};
use filestore::{BlobKey, ByteStream, Error, ErrorKind, MemoryBlobs, Result};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

super::caught! {
    broken;
    KeepsHalves: a_store_that_keeps_what_came_before_an_error by cases::a_failing_stream_leaves_nothing;
    HidesCauses: a_store_that_answers_another_error by cases::a_failing_stream_leaves_nothing;
    ShowsEarly: a_store_that_shows_a_blob_too_early by cases::a_blob_is_not_seen_before_its_end;
    LeavesStubs: a_store_that_leaves_a_dropped_put by cases::a_dropped_put_leaves_nothing;
    RefusesAgain: a_store_that_takes_a_key_once by cases::a_failed_put_may_be_repeated;
    AnswersNoSize: a_store_that_answers_no_size by cases::a_blob_is_read_back_whole;
    LosesFrames: a_store_that_stops_at_an_empty_frame by cases::a_blob_is_read_back_whole;
    CutsRanges: a_store_that_answers_short by cases::a_range_past_the_end_is_an_error;
    IgnoresStart: a_store_that_reads_from_the_start by cases::any_range_comes_out_exactly;
    FailsLate: a_store_that_finds_out_late by cases::an_unknown_key_is_not_found;
    EndsSilently: a_store_that_ends_when_its_blob_goes by cases::a_blob_deleted_under_its_reader_is_never_short;
    DeletesOnce: a_store_that_wants_to_delete_something by cases::a_deletion_may_be_repeated;
    KeepsDeleted: a_store_that_deletes_nothing by cases::a_deletion_may_be_repeated;
    ListsBackwards: a_store_that_lists_in_no_order by cases::a_list_is_complete_and_resumable;
    ListsFromStart: a_store_that_starts_its_list_again by cases::a_list_is_complete_and_resumable;
    BlamesTheMoment: a_store_that_calls_a_short_blob_unavailable by cases::a_range_past_the_end_is_an_error;
    NeverReady: a_store_that_is_never_ready by cases::a_store_that_works_is_ready;
    HidesFixedKey: a_store_that_hides_its_own_key by cases::the_fixed_key_is_a_key;
}

#[derive(Debug)]
struct BrokenBlobs {
    inner: Arc<MemoryBlobs>,
    flaw: Option<Flaw>,
    tried: Mutex<Vec<BlobKey>>,
}

fn broken(flaw: Option<Flaw>) -> Fixture<BrokenBlobs> {
    BrokenBlobs { inner: Arc::new(MemoryBlobs::new()), flaw, tried: Mutex::default() }.into()
}

impl BrokenBlobs {
    async fn size(&self, key: BlobKey) -> Result<Option<u64>> {
        let all: Vec<BlobInfo> = self.inner.list(None).try_collect().await?;
        Ok(all.iter().find(|info| info.key == key).map(|info| info.size))
    }
}

#[async_trait]
impl BlobStore for BrokenBlobs {
    async fn put(&self, key: BlobKey, mut content: ByteStream<'_>) -> Result<u64> {
        match self.flaw {
            Some(Flaw::KeepsHalves) => {
                let mut half = BytesMut::new();
                while let Some(frame) = content.next().await {
                    match frame {
                        Ok(frame) => half.extend_from_slice(&frame),
                        Err(error) => {
                            self.inner.put(key, half.freeze().into()).await?;
                            return Err(error);
                        }
                    }
                }
                self.inner.put(key, half.freeze().into()).await
            }
            Some(Flaw::HidesCauses) => {
                let stored = self.inner.put(key, content).await;
                stored.map_err(|_| Error::unavailable("the storage failed"))
            }
            Some(Flaw::ShowsEarly | Flaw::LeavesStubs) => {
                self.inner.put(key, "early".into()).await?;
                let stored = self.inner.put(key, content).await;
                if stored.is_err() {
                    self.inner.delete(key).await?;
                }
                stored
            }
            Some(Flaw::RefusesAgain) => {
                {
                    let mut tried = self.tried.lock().unwrap();
                    if tried.contains(&key) {
                        return Err(Error::conflict("used before"));
                    }
                    tried.push(key);
                }
                self.inner.put(key, content).await
            }
            Some(Flaw::AnswersNoSize) => self.inner.put(key, content).await.map(|_| 0),
            Some(Flaw::LosesFrames) => {
                let whole = content.try_take_while(|frame| {
                    let more = !frame.is_empty();
                    async move { Ok(more) }
                });
                self.inner.put(key, ByteStream::from_results(whole)).await
            }
            _ => self.inner.put(key, content).await,
        }
    }

    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>> {
        match self.flaw {
            Some(Flaw::CutsRanges) => {
                let size = self.size(key).await?.unwrap_or(range.end);
                let range = range.start.min(size)..range.end.min(size);
                if range.is_empty() {
                    return Ok(ByteStream::empty());
                }
                self.inner.get(key, range).await
            }
            Some(Flaw::BlamesTheMoment) => match self.inner.get(key, range).await {
                Err(error) if error.kind() == ErrorKind::Internal => {
                    Err(Error::unavailable("try again"))
                }
                found => found,
            },
            Some(Flaw::IgnoresStart) => {
                let len = range.end - range.start;
                self.inner.get(key, 0..len).await
            }
            Some(Flaw::FailsLate) => match self.inner.get(key, range).await {
                Err(error) => Ok(ByteStream::from_results(stream::iter([Err(error)]))),
                found => found,
            },
            Some(Flaw::EndsSilently) => {
                self.inner.get(key, range.clone()).await?;
                let blobs = self.inner.clone();
                let steps = stream::unfold(range, move |rest| {
                    let blobs = blobs.clone();
                    async move {
                        let end = rest.end.min(rest.start + 65_536);
                        let step = blobs.get(key, rest.start..end).await.ok()?;
                        Some((step.collect().await, end..rest.end))
                    }
                });
                Ok(ByteStream::from_results(steps))
            }
            _ => self.inner.get(key, range).await,
        }
    }

    async fn delete(&self, key: BlobKey) -> Result<()> {
        match self.flaw {
            Some(Flaw::DeletesOnce) if self.size(key).await?.is_none() => {
                Err(Error::not_found("no such blob"))
            }
            Some(Flaw::KeepsDeleted) => Ok(()),
            _ => self.inner.delete(key).await,
        }
    }

    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>> {
        match self.flaw {
            Some(Flaw::ListsBackwards) => {
                let all = async move {
                    let all: Result<Vec<BlobInfo>> = self.inner.list(after).try_collect().await;
                    stream::iter(all.unwrap().into_iter().rev().map(Ok))
                };
                stream::once(all).flatten().boxed()
            }
            Some(Flaw::ListsFromStart) => self.inner.list(None),
            Some(Flaw::HidesFixedKey) => self
                .inner
                .list(after)
                .try_filter(move |info| {
                    let shown = info.key != BlobKey::STORE_ID;
                    async move { shown }
                })
                .boxed(),
            _ => self.inner.list(after),
        }
    }

    async fn ready(&self) -> Result<()> {
        match self.flaw {
            Some(Flaw::NeverReady) => Err(Error::unavailable("not today")),
            _ => self.inner.ready().await,
        }
    }
}
