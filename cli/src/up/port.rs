//! Is every port free? Asked before anything starts, because Envoy's own answer comes late and long.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};

use super::choice::{Choice, SIMULATOR_CONTROL, Stage};
use crate::failure::Failure;

/// Every port the gateway is going to listen on.
pub(super) fn all_free(choice: &Choice) -> Result<(), Failure> {
    let document = &choice.loaded.document;
    let mut wanted = vec![
        (address(&document.listen.address)?, document.listen.port, "listen.port"),
        (address(&document.admin.address)?, document.admin.port, "admin.port"),
    ];
    if choice.stage == Stage::Demo {
        wanted.push((SIMULATOR_CONTROL.0.into(), SIMULATOR_CONTROL.1, ""));
        for provider in choice.loaded.config.catalog.providers() {
            wanted.push((address(&provider.endpoint.host)?, provider.endpoint.port, ""));
        }
    }
    wanted.into_iter().try_for_each(|(address, port, setting)| free(address, port, setting, choice.stage))
}

fn free(address: IpAddr, port: u16, setting: &str, stage: Stage) -> Result<(), Failure> {
    let Err(error) = TcpListener::bind((address, port)) else { return Ok(()) };
    let sentence = match (error.kind(), setting, stage) {
        (ErrorKind::AddrInUse, "", _) => format!(
            "port {port}, where the demo simulates a provider, is in use on {address}: stop the program that has it (perhaps another `nr up`)"
        ),
        (ErrorKind::AddrInUse, _, Stage::Demo) => format!(
            "port {port} is in use on {address}: stop the program that has it (perhaps another `nr up`), \
             or run `nr up --config` with a configuration whose {setting} is another"
        ),
        (ErrorKind::AddrInUse, ..) => {
            format!("port {port} is in use on {address}: stop the program that has it, or change {setting} in the configuration")
        }
        (ErrorKind::AddrNotAvailable, ..) => format!("{address} is not an address of this machine: change {setting} in the configuration"),
        (ErrorKind::PermissionDenied, ..) => {
            format!("port {port} may not be opened by this user: change {setting} in the configuration to one above 1023")
        }
        _ => format!("port {port} of {address} cannot be opened: {error}"),
    };
    Err(Failure::new(sentence))
}

fn address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| Failure::new(format!("`{text}` is not an IP address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_one_sentence_with_the_port_and_the_setting() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let sentence = free([127, 0, 0, 1].into(), port, "listen.port", Stage::Real).unwrap_err().to_string();
        assert!(sentence.contains(&format!("port {port} is in use")) && sentence.contains("change listen.port"), "{sentence}");
        assert_eq!(sentence.lines().count(), 1);
        drop(taken);
        assert_eq!(free([127, 0, 0, 1].into(), port, "listen.port", Stage::Real), Ok(()));
    }
}
