//! The stores of a session: one for each bucket, one for each address. All of them make their requests through one client,
//! which keeps connections open.
//!
//! Without keys in the session and the environment, and without a role that the environment names, a bucket is asked
//! without a signature, as public ones are. A machine's own role (the metadata service of EC2) is not asked for.

use super::options::Options;
use crate::error::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Where an object is.
#[derive(Clone)]
pub(super) struct At {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) location: Path,
}

/// The stores that were opened.
#[derive(Default)]
pub(super) struct Stores {
    client: Option<HttpClient>,
    buckets: BTreeMap<String, Arc<dyn ObjectStore>>,
}

/// Hands out the one client.
#[derive(Debug)]
struct Shared(HttpClient);

impl HttpConnector for Shared {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

impl Stores {
    /// An address of the web.
    pub(super) fn address(&mut self, url: &str, options: &Options) -> Result<At> {
        let builder = HttpBuilder::new()
            .with_url(url)
            .with_client_options(client_options(options))
            .with_retry(retry(options))
            .with_http_connector(Shared(self.client(options)?));
        let store = builder.build().map_err(|_| Error::query("this is no address").advise("https://host/path"))?;
        Ok(At { store: Arc::new(store), location: Path::default() })
    }

    /// A key of a bucket.
    pub(super) fn key(&mut self, bucket: &str, key: &str, options: &Options) -> Result<At> {
        let location = Path::parse(key).map_err(|_| {
            Error::query(format!("{key:?} is no key: it has empty or relative parts"))
                .advise("s3://bucket/dir/file.csv")
        })?;
        Ok(At { store: self.bucket(bucket, options)?, location })
    }

    /// A bucket.
    pub(super) fn bucket(&mut self, name: &str, options: &Options) -> Result<Arc<dyn ObjectStore>> {
        if let Some(known) = self.buckets.get(name) {
            return Ok(known.clone());
        }
        let client = self.client(options)?;
        let store: Arc<dyn ObjectStore> = Arc::new(bucket(name, options, client)?);
        self.buckets.insert(name.to_string(), store.clone());
        Ok(store)
    }

    fn client(&mut self, options: &Options) -> Result<HttpClient> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let made = ReqwestConnector::default().connect(&client_options(options));
        let client = made.map_err(|e| Error::resources(format!("no client for requests can be made: {e}")))?;
        Ok(self.client.insert(client).clone())
    }
}

/// Whole answers have their own limit of time, see `object`.
fn client_options(options: &Options) -> ClientOptions {
    let connect = options.patience().timeout.min(Duration::from_secs(10));
    ClientOptions::new().with_allow_http(true).with_timeout_disabled().with_connect_timeout(connect)
}

fn retry(options: &Options) -> RetryConfig {
    let patience = options.patience();
    let (init_backoff, max_backoff) = (Duration::from_millis(50), Duration::from_secs(5));
    RetryConfig {
        backoff: BackoffConfig { init_backoff, max_backoff, base: 2. },
        max_retries: patience.retries as usize,
        retry_timeout: patience.timeout,
    }
}

fn bucket(name: &str, options: &Options, client: HttpClient) -> Result<object_store::aws::AmazonS3> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(name)
        .with_client_options(client_options(options))
        .with_retry(retry(options))
        .with_http_connector(Shared(client));
    if let Some(endpoint) = options.endpoint() {
        builder = builder.with_endpoint(endpoint);
    }
    let given = [
        ("s3_region", AmazonS3ConfigKey::Region),
        ("s3_access_key_id", AmazonS3ConfigKey::AccessKeyId),
        ("s3_secret_access_key", AmazonS3ConfigKey::SecretAccessKey),
        ("s3_session_token", AmazonS3ConfigKey::Token),
    ];
    for (setting, key) in given {
        if let Some(value) = options.get(setting) {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(style) = options.get("s3_url_style") {
        builder = builder.with_virtual_hosted_style_request(style == "vhost");
    }
    let has = |key: AmazonS3ConfigKey| builder.get_config_value(&key).is_some();
    let signed = has(AmazonS3ConfigKey::AccessKeyId)
        || has(AmazonS3ConfigKey::SecretAccessKey)
        || has(AmazonS3ConfigKey::WebIdentityTokenFile)
        || has(AmazonS3ConfigKey::ContainerCredentialsRelativeUri)
        || has(AmazonS3ConfigKey::ContainerCredentialsFullUri);
    if !signed {
        builder = builder.with_skip_signature(true);
    }
    // What the crate says of wrong keys may hold them.
    builder.build().map_err(|_| {
        Error::query(format!("the bucket {name} cannot be reached with these settings"))
            .advise("both or none of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_ENDPOINT_URL as http(s)://host")
    })
}
