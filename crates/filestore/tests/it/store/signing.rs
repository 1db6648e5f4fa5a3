//! URLs of blobs.

use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{SignBlobs, SignedGet};
use filestore::{BlobKey, Error, ErrorKind, RangeSpec, Result};

use super::rig::{BIG, MINUTE, Rig, files_of, noise, refused};

super::cases! {
    content_that_is_one_blob_has_a_url
    without_a_signer_there_are_none
}

#[derive(Debug)]
struct Urls;

#[async_trait]
impl SignBlobs for Urls {
    async fn sign(&self, key: BlobKey, get: &SignedGet) -> Result<Option<String>> {
        if get.lifetime != MINUTE {
            return Err(Error::invalid("a minute, and nothing else"));
        }
        let said = get.content_type.as_deref().unwrap_or("nothing");
        Ok((said != "unspeakable").then(|| format!("https://blobs/{key}?{said}")))
    }
}

fn lasting(lifetime: Duration) -> SignedGet {
    SignedGet::lasting(lifetime)
}

async fn content_that_is_one_blob_has_a_url(rig: Rig) {
    let whole = rig.file("whole", &noise(BIG)).await;
    let key = rig.only_blob().await;
    let store = rig.builder().sign_blobs(Urls).open().await.unwrap();
    let expected = Some(format!("https://blobs/{key}?nothing"));
    for range in [None, Some(RangeSpec::FromTo(5, 10))] {
        let opened = files_of(&store).open(whole.id, range).await.unwrap();
        assert_eq!(opened.signed_url(&lasting(MINUTE)).await.unwrap(), expected);
        refused(opened.signed_url(&lasting(2 * MINUTE)).await, ErrorKind::InvalidArgument);
    }

    let opened = files_of(&store).open(whole.id, None).await.unwrap();
    for (said, expected) in
        [("this", Some(format!("https://blobs/{key}?this"))), ("unspeakable", None)]
    {
        let get = SignedGet { content_type: Some(said.to_owned()), ..lasting(MINUTE) };
        assert_eq!(opened.signed_url(&get).await.unwrap(), expected);
    }

    let inline = rig.file("inline", &noise(10)).await;
    let empty = rig.file("empty", &noise(0)).await;
    let parts = rig.file_of_parts(&[noise(BIG), noise(BIG)]).await;
    for (file, range) in
        [(&inline, None), (&empty, None), (&parts, None), (&parts, Some(RangeSpec::FromTo(5, 10)))]
    {
        let opened = files_of(&store).open(file.id, range).await.unwrap();
        assert_eq!(opened.signed_url(&lasting(MINUTE)).await.unwrap(), None, "{file:?}");
    }

    // What must be verified is not read past the store.
    let verifying = rig.builder().sign_blobs(Urls).verify_reads().open().await.unwrap();
    let opened = files_of(&verifying).open(whole.id, None).await.unwrap();
    assert_eq!(opened.signed_url(&lasting(MINUTE)).await.unwrap(), None);
}

async fn without_a_signer_there_are_none(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let opened = rig.files().open(file.id, None).await.unwrap();
    assert_eq!(opened.signed_url(&lasting(MINUTE)).await.unwrap(), None);
}
