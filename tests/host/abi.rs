//! The imports of the proxy-wasm ABI as the SDK declares them, over this thread's [`Vm`](super::vm::Vm). Statuses
//! are those Envoy gives, also where the SDK then panics: editing a header map that is gone is a
//! trap there too. The SDK is the only caller; its declarations are the contract of every `unsafe`.

use core::ptr::null_mut;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};

use super::headers::Headers;
use super::vm::{Effect, vm};

unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() { &[] } else { unsafe { core::slice::from_raw_parts(data, size) } }
}

/// Gives bytes away as the SDK takes them: a vector whose capacity is its length, null if empty.
unsafe fn give(value: &[u8], data: *mut *mut u8, size: *mut usize) -> Status {
    let pointer = if value.is_empty() { null_mut() } else { Box::into_raw(value.to_vec().into_boxed_slice()).cast() };
    unsafe {
        data.write(pointer);
        size.write(value.len());
    }
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(level: LogLevel, data: *const u8, size: usize) -> Status {
    let line = String::from_utf8_lossy(unsafe { bytes(data, size) }).into_owned();
    vm(|vm| vm.log.push((level, line)));
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_log_level(level: *mut LogLevel) -> Status {
    unsafe { level.write(LogLevel::Trace) };
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status {
    unsafe { time.write(vm(|vm| vm.now)) };
    Status::Ok
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(ms: u32) -> Status {
    vm(|vm| {
        // The timer is the root context's, whoever sets it.
        let root = vm.roots.get(&vm.active).copied().unwrap_or(vm.active);
        if ms > 0 { vm.ticks.insert(root, ms) } else { vm.ticks.remove(&root) }
    });
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(which: BufferType, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) -> Status {
    vm(|vm| match vm.buffer(which) {
        Some(buffer) => {
            let end = start.saturating_add(max).min(buffer.len());
            unsafe { give(buffer.get(start..end).unwrap_or_default(), data, size) }
        }
        None => Status::NotFound,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(which: BufferType, start: usize, length: usize, data: *const u8, size: usize) -> Status {
    let new = unsafe { bytes(data, size) };
    vm(|vm| match vm.buffer(which) {
        _ if !matches!(which, BufferType::HttpRequestBody | BufferType::HttpResponseBody) => Status::BadArgument,
        None => Status::BadArgument,
        // Drains `length` bytes, then prepends.
        Some(buffer) if start == 0 => {
            let drained = length.min(buffer.len());
            buffer.splice(..drained, new.iter().copied());
            Status::Ok
        }
        Some(buffer) if start >= buffer.len() => {
            buffer.extend_from_slice(new);
            Status::Ok
        }
        Some(_) => Status::BadArgument,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(which: MapType, data: *mut *mut u8, size: *mut usize) -> Status {
    let pairs = vm(|vm| vm.stream().and_then(|stream| stream.map(which).map(|map| map.encode())));
    unsafe { give(&pairs.unwrap_or_default(), data, size) }
}

/// Edits a map; `BadArgument`, which the SDK answers with a panic, where Envoy lends none.
///
/// Envoy looks the route up before the first filter; filter state that is set later counts once a header of the
/// request has been edited, which clears the cache.
fn edit(which: MapType, edit: impl FnOnce(&mut Headers)) -> Status {
    vm(|vm| {
        let Some(stream) = vm.stream() else { return Status::BadArgument };
        let Some(map) = stream.map(which) else { return Status::BadArgument };
        edit(map);
        if matches!(which, MapType::HttpRequestHeaders) {
            stream.cluster = stream.state.borrow().get(b"nr_next".as_slice()).cloned();
        }
        Status::Ok
    })
}

/// Envoy writes header values as they are: a line break would begin another header.
fn assert_one_line(name: &[u8], value: &[u8]) {
    let breaks = |bytes: &[u8]| bytes.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
    assert!(
        !breaks(name) && !breaks(value),
        "the filter sets a header that splits: {:?}",
        (name.escape_ascii().to_string(), value.escape_ascii().to_string())
    );
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_header_map_pairs(which: MapType, data: *const u8, size: usize) -> Status {
    let map = Headers::decode(unsafe { bytes(data, size) });
    edit(which, |old| *old = map)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    which: MapType,
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let key = String::from_utf8_lossy(unsafe { bytes(key, key_size) }).to_ascii_lowercase();
    vm(|vm| match vm.stream().and_then(|stream| stream.map(which)) {
        None => Status::BadArgument,
        Some(map) => map.bytes(&key).map_or(Status::NotFound, |value| unsafe { give(value, data, size) }),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(which: MapType, key: *const u8, key_size: usize) -> Status {
    let key = unsafe { bytes(key, key_size) };
    edit(which, |map| drop(map.remove(key)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    which: MapType,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    size: usize,
) -> Status {
    let (key, value) = unsafe { (bytes(key, key_size), bytes(value, size)) };
    assert_one_line(key, value);
    edit(which, |map| map.set(key, value))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_add_header_map_value(which: MapType, key: *const u8, key_size: usize, value: *const u8, size: usize) -> Status {
    let (key, value) = unsafe { (bytes(key, key_size), bytes(value, size)) };
    assert_one_line(key, value);
    edit(which, |map| map.add(key, value))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> Status {
    let path = unsafe { bytes(path, path_size) };
    let value = vm(|vm| {
        let stream = vm.stream()?;
        let own = core::str::from_utf8(path).ok().and_then(|path| stream.properties.get(path).cloned());
        own.or_else(|| stream.state.borrow().get(path).cloned())
    });
    value.map_or(Status::NotFound, |value| unsafe { give(&value, data, size) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> Status {
    let (path, value) = unsafe { (bytes(path, path_size), bytes(value, size)) };
    assert!(!path.contains(&0), "filter state has keys of one segment: {}", path.escape_ascii());
    vm(|vm| match vm.stream() {
        Some(stream) => {
            stream.state.borrow_mut().insert(path.to_vec(), value.to_vec());
            Status::Ok
        }
        None => Status::NotFound,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_shared_data(key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize, cas: *mut u32) -> Status {
    let key = unsafe { bytes(key, key_size) };
    let Some((value, number)) = vm(|vm| vm.shared.get(key).cloned()) else { return Status::NotFound };
    unsafe {
        cas.write(number);
        give(&value, data, size)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32) -> Status {
    let (key, value) = unsafe { (bytes(key, key_size), bytes(value, size)) };
    vm(|vm| {
        let last = vm.shared.get(key).map_or(0, |(_, number)| *number);
        if cas != 0 && cas != last && !(cas == u32::MAX && last == 0) {
            return Status::CasMismatch;
        }
        vm.shared.insert(key.to_vec(), (value.to_vec(), last + 1));
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_: StreamType) -> Status {
    vm(|vm| vm.effects.push(Effect::Resume));
    Status::Ok
}

#[unsafe(no_mangle)]
extern "C" fn proxy_close_stream(_: StreamType) -> Status {
    vm(|vm| vm.effects.push(Effect::Reset));
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_send_local_response(
    status: u32,
    _: *const u8,
    _: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    _: i32,
) -> Status {
    let (body, headers) = unsafe { (bytes(body, body_size).to_vec(), Headers::decode(bytes(headers, headers_size))) };
    vm(|vm| vm.effects.push(Effect::LocalReply { status, headers, body }));
    Status::Ok
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> Status {
    vm(|vm| vm.active = context);
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_grpc_call(
    _cluster: *const u8,
    _cluster_size: usize,
    _service: *const u8,
    _service_size: usize,
    _method: *const u8,
    _method_size: usize,
    _metadata: *const u8,
    _metadata_size: usize,
    message: *const u8,
    message_size: usize,
    _timeout_ms: u32,
    number: *mut u32,
) -> Status {
    let message = unsafe { bytes(message, message_size) }.to_vec();
    vm(|vm| {
        if !vm.reachable {
            return Status::InternalFailure;
        }
        vm.asked.push(message);
        unsafe { number.write(u32::try_from(vm.asked.len()).expect("few")) };
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_done() -> Status {
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(kind: MetricType, name: *const u8, size: usize, id: *mut u32) -> Status {
    let name = unsafe { bytes(name, size) }.to_vec();
    let position = vm(|vm| {
        let known = vm.metrics.iter().position(|(k, n, _)| (*k, n) == (kind, &name));
        known.unwrap_or_else(|| {
            vm.metrics.push((kind, name, 0));
            vm.metrics.len() - 1
        })
    });
    unsafe { id.write(u32::try_from(position).expect("few metrics")) };
    Status::Ok
}

fn metric(id: u32, change: impl FnOnce(&mut u64)) -> Status {
    vm(|vm| match vm.metrics.get_mut(id as usize) {
        Some((_, _, value)) => {
            change(value);
            Status::Ok
        }
        None => Status::NotFound,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_metric(id: u32, value: *mut u64) -> Status {
    metric(id, |current| unsafe { value.write(*current) })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> Status {
    metric(id, |current| *current = value)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> Status {
    metric(id, |current| *current = current.saturating_add_signed(offset))
}

/// Imports that no seat uses. The first that does gets a real one here; until then using it fails.
macro_rules! not_there {
    ($($name:ident($($argument:ty),*));+ $(;)?) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> Status {
            panic!(concat!("the fake host has no ", stringify!($name)))
        })+
    };
}

type In = *const u8;
type Out = *mut *mut u8;

not_there! {
    proxy_register_shared_queue(In, usize, *mut u32);
    proxy_resolve_shared_queue(In, usize, In, usize, *mut u32);
    proxy_dequeue_shared_queue(u32, Out, *mut usize);
    proxy_enqueue_shared_queue(u32, In, usize);
    proxy_http_call(In, usize, In, usize, In, usize, In, usize, u32, *mut u32);
    proxy_grpc_stream(In, usize, In, usize, In, usize, In, usize, *mut u32);
    proxy_grpc_send(u32, In, usize, bool);
    proxy_grpc_cancel(u32);
    proxy_grpc_close(u32);
    proxy_get_status(*mut u32, Out, *mut usize);
    proxy_call_foreign_function(In, usize, In, usize, Out, *mut usize);
}
