//! Host services for WebAssembly functions: the import module `nex` of the Nex node, made safe. Copy this file.
//!
//! Every call waits for its answer. What the raw functions do is said in `../../include/nex.h`.

/// What a service says when it does not succeed.
#[derive(Debug)]
pub struct Failure {
    /// 400 malformed, 403 not allowed, 404 missing, 413 too large, 429 too many calls, 500 anything else.
    pub status: i32,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.message, self.status)
    }
}

impl std::error::Error for Failure {}

mod raw {
    #[link(wasm_import_module = "nex")]
    extern "C" {
        pub fn kv_get(key: *const u8, key_length: usize) -> i32;
        pub fn kv_set(key: *const u8, key_length: usize, value: *const u8, length: usize) -> i32;
        pub fn kv_delete(key: *const u8, key_length: usize) -> i32;
        pub fn kv_keys() -> i32;
        pub fn object_store_get(name: *const u8, name_length: usize) -> i32;
        pub fn object_store_put(
            name: *const u8,
            name_length: usize,
            value: *const u8,
            length: usize,
        ) -> i32;
        pub fn object_store_delete(name: *const u8, name_length: usize) -> i32;
        pub fn object_store_list() -> i32;
        pub fn messaging_publish(
            subject: *const u8,
            subject_length: usize,
            payload: *const u8,
            length: usize,
        ) -> i32;
        pub fn messaging_request(
            subject: *const u8,
            subject_length: usize,
            payload: *const u8,
            length: usize,
        ) -> i32;
        pub fn messaging_request_many(
            subject: *const u8,
            subject_length: usize,
            payload: *const u8,
            length: usize,
        ) -> i32;
        pub fn http_request(
            method: *const u8,
            method_length: usize,
            url: *const u8,
            url_length: usize,
            headers: *const u8,
            headers_length: usize,
            body: *const u8,
            body_length: usize,
            flags: u32,
        ) -> i32;
        pub fn http_status() -> i32;
        pub fn http_headers_length() -> usize;
        pub fn http_headers_read(offset: usize, buffer: *mut u8, length: usize) -> usize;
        pub fn result_length() -> usize;
        pub fn result_read(offset: usize, buffer: *mut u8, length: usize) -> usize;
    }
}

type Named = unsafe extern "C" fn(*const u8, usize) -> i32;
type Sent = unsafe extern "C" fn(*const u8, usize, *const u8, usize) -> i32;
type Length = unsafe extern "C" fn() -> usize;
type Read = unsafe extern "C" fn(usize, *mut u8, usize) -> usize;

fn take(length: Length, read: Read) -> Vec<u8> {
    let mut bytes = vec![0; unsafe { length() }];
    let count = unsafe { read(0, bytes.as_mut_ptr(), bytes.len()) };
    bytes.truncate(count);
    bytes
}

fn result(status: i32) -> Result<Vec<u8>> {
    let bytes = take(raw::result_length, raw::result_read);
    if status == 200 {
        return Ok(bytes);
    }
    Err(Failure {
        status,
        message: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn named(call: Named, name: &str) -> Result<Vec<u8>> {
    result(unsafe { call(name.as_ptr(), name.len()) })
}

fn sent(call: Sent, name: &str, body: &[u8]) -> Result<Vec<u8>> {
    result(unsafe { call(name.as_ptr(), name.len(), body.as_ptr(), body.len()) })
}

/// Items of a list: each is four bytes of length, the lowest first, then the bytes.
fn items(list: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = list;
    while rest.len() >= 4 {
        let (head, tail) = rest.split_at(4);
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (item, next) = tail.split_at(length.min(tail.len()));
        found.push(item.to_vec());
        rest = next;
    }
    found
}

fn texts(list: Vec<Vec<u8>>) -> Vec<String> {
    list.iter()
        .map(|item| String::from_utf8_lossy(item).into_owned())
        .collect()
}

pub mod kv {
    use super::*;

    pub fn get(key: &str) -> Result<Vec<u8>> {
        named(raw::kv_get, key)
    }

    pub fn set(key: &str, value: &[u8]) -> Result<()> {
        sent(raw::kv_set, key, value).map(drop)
    }

    pub fn delete(key: &str) -> Result<()> {
        named(raw::kv_delete, key).map(drop)
    }

    pub fn keys() -> Result<Vec<String>> {
        result(unsafe { raw::kv_keys() }).map(|list| texts(items(&list)))
    }
}

pub mod object_store {
    use super::*;

    pub fn get(name: &str) -> Result<Vec<u8>> {
        named(raw::object_store_get, name)
    }

    /// Gives the object's information as JSON: `name`, `size`, `digest` and more.
    pub fn put(name: &str, value: &[u8]) -> Result<String> {
        sent(raw::object_store_put, name, value)
            .map(|info| String::from_utf8_lossy(&info).into_owned())
    }

    pub fn delete(name: &str) -> Result<()> {
        named(raw::object_store_delete, name).map(drop)
    }

    /// The information of every object, as [`put`] gives it.
    pub fn list() -> Result<Vec<String>> {
        result(unsafe { raw::object_store_list() }).map(|list| texts(items(&list)))
    }
}

pub mod messaging {
    use super::*;

    pub fn publish(subject: &str, payload: &[u8]) -> Result<()> {
        sent(raw::messaging_publish, subject, payload).map(drop)
    }

    pub fn request(subject: &str, payload: &[u8]) -> Result<Vec<u8>> {
        sent(raw::messaging_request, subject, payload)
    }

    /// The answers that came in time.
    pub fn request_many(subject: &str, payload: &[u8]) -> Result<Vec<Vec<u8>>> {
        sent(raw::messaging_request_many, subject, payload).map(|list| items(&list))
    }
}

pub mod http {
    use super::*;

    pub struct Response {
        pub status: i32,
        /// Names like `Content-Type`; one that came several times is here as often.
        pub headers: Vec<(String, String)>,
        pub body: Vec<u8>,
    }

    /// Makes a request and follows redirects. An answer of any HTTP status is a success.
    pub fn request(
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response> {
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{}: {}\n", name, value))
            .collect();
        let status = unsafe {
            raw::http_request(
                method.as_ptr(),
                method.len(),
                url.as_ptr(),
                url.len(),
                lines.as_ptr(),
                lines.len(),
                body.as_ptr(),
                body.len(),
                0,
            )
        };
        let body = result(status)?;
        let lines = take(raw::http_headers_length, raw::http_headers_read);
        let headers = String::from_utf8_lossy(&lines)
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        Ok(Response {
            status: unsafe { raw::http_status() },
            headers,
            body,
        })
    }
}
