//! The hosts of the generated VPC, their addresses, and the interfaces that log for them.
//!
//! Hosts sit on even addresses with gaps, so that a sweep also meets addresses that nobody has.
//! Memory bound: 256 KiB for the lookup, and under 100 bytes per host.

use crate::address::VPC;
use crate::draws::{count, mix};
use crate::profile::Profile;
use crate::scenario::Scenario;

/// Ports of the internal services, dealt out to the service hosts in turn.
pub(crate) const SERVICE_PORTS: [u16; 7] = [443, 80, 5432, 8080, 6379, 9092, 3306];

/// As AWS writes it: `eni-` and 17 hexadecimal digits.
pub(crate) const INTERFACE_NAME_BYTES: usize = 21;

const HOSTS_PER_SUBNET: u32 = 100;
const NOBODY: u32 = u32::MAX;

/// The network: lists of addresses by role.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) nat: u32,
    pub(crate) monitor: u32,
    pub(crate) collector: u32,
    pub(crate) resolvers: Vec<u32>,
    pub(crate) balancers: Vec<u32>,
    pub(crate) public_servers: Vec<u32>,
    pub(crate) services: Vec<Service>,
    pub(crate) clients: Vec<u32>,
    pub(crate) backups: Vec<u32>,
    pub(crate) idle: Vec<u32>,
    /// Known to the monitoring, but without an interface that logs.
    pub(crate) down: Vec<u32>,
    /// One per scenario, with little traffic of its own: attackers, and the host of the data gap.
    pub(crate) spares: Vec<u32>,
    interfaces: Vec<Interface>,
    interface_at: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Service {
    pub(crate) address: u32,
    pub(crate) port: u16,
}

#[derive(Debug)]
struct Interface {
    name: [u8; INTERFACE_NAME_BYTES],
    address: u32,
    /// Managed by AWS for us: it has no instance.
    managed: bool,
}

impl Network {
    pub(crate) fn new(profile: &Profile) -> Self {
        let mut network = Self::empty();
        network.nat = network.add_managed(subnet(0) + 220);
        network.balancers = (0..profile.balancers)
            .map(|i| network.add_managed(subnet(i % 3) + 10 + u32::from(i)))
            .collect();
        network.resolvers = vec![network.add(subnet(0) + 53), network.add(subnet(1) + 53)];
        network.monitor = network.add(subnet(2) + 90);
        network.collector = network.add(subnet(2) + 96);
        network.public_servers = network.add_group(4, profile.public_servers);
        let hosts = network.add_group(16, profile.service_hosts);
        let ports = SERVICE_PORTS.iter().cycle();
        network.services = hosts
            .into_iter()
            .zip(ports)
            .map(|(address, port)| Service { address, port: *port })
            .collect();
        network.clients = network.add_group(32, profile.clients);
        network.backups = network.add_group(120, profile.backup_hosts);
        network.idle = network.add_group(130, profile.idle_hosts);
        network.down = (0..profile.down_hosts).map(|i| place(140, i)).collect();
        let spares = u16::try_from(Scenario::ALL.len()).unwrap_or(0);
        network.spares = network.add_group(200, spares);
        network
    }

    /// The interface of an address, if a host with an interface has it.
    pub(crate) fn interface(&self, address: u32) -> Option<u32> {
        if address >> 16 != VPC >> 16 {
            return None;
        }
        let index = self.interface_at[(address & 0xFFFF) as usize];
        (index != NOBODY).then_some(index)
    }

    pub(crate) fn interface_name(&self, interface: u32) -> &[u8; INTERFACE_NAME_BYTES] {
        &self.interfaces[interface as usize].name
    }

    pub(crate) fn interface_address(&self, interface: u32) -> u32 {
        self.interfaces[interface as usize].address
    }

    pub(crate) fn is_managed(&self, interface: u32) -> bool {
        self.interfaces[interface as usize].managed
    }

    pub(crate) fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// Every host that runs and can be talked to, in the order of addresses.
    pub(crate) fn hosts(&self) -> Vec<u32> {
        let mut hosts: Vec<u32> = self
            .interfaces
            .iter()
            .filter(|interface| !interface.managed && !self.idle.contains(&interface.address))
            .map(|interface| interface.address)
            .collect();
        hosts.sort_unstable();
        hosts
    }

    /// Addresses of the clients' subnets that no host has.
    pub(crate) fn vacant(&self, wanted: usize) -> Vec<u32> {
        let candidates = (0..u32::from(u16::MAX)).map(|offset| subnet(32) + 11 + offset);
        candidates.filter(|address| self.interface(*address).is_none()).take(wanted).collect()
    }

    fn empty() -> Self {
        Self {
            nat: 0,
            monitor: 0,
            collector: 0,
            resolvers: Vec::new(),
            balancers: Vec::new(),
            public_servers: Vec::new(),
            services: Vec::new(),
            clients: Vec::new(),
            backups: Vec::new(),
            idle: Vec::new(),
            down: Vec::new(),
            spares: Vec::new(),
            interfaces: Vec::new(),
            interface_at: vec![NOBODY; 1 << 16],
        }
    }

    fn add_group(&mut self, third_octet: u16, hosts: u16) -> Vec<u32> {
        (0..hosts).map(|host| self.add(place(third_octet, host))).collect()
    }

    fn add(&mut self, address: u32) -> u32 {
        let index = count(self.interfaces.len());
        let name = interface_name(address);
        self.interfaces.push(Interface { name, address, managed: false });
        self.interface_at[(address & 0xFFFF) as usize] = index;
        address
    }

    fn add_managed(&mut self, address: u32) -> u32 {
        self.add(address);
        if let Some(interface) = self.interfaces.last_mut() {
            interface.managed = true;
        }
        address
    }
}

/// Writes 16 hexadecimal digits that depend on the value only.
pub(crate) fn push_hex(value: u64, out: &mut [u8]) {
    for (position, digit) in out.iter_mut().enumerate() {
        let nibble = (mix(value) >> (4 * (position % 16))) & 0xF;
        *digit = b"0123456789abcdef"[usize::try_from(nibble).unwrap_or(0)];
    }
}

fn interface_name(address: u32) -> [u8; INTERFACE_NAME_BYTES] {
    let mut name = *b"eni-00000000000000000";
    push_hex(u64::from(address), &mut name[5..]);
    name
}

fn subnet(third_octet: u16) -> u32 {
    VPC + (u32::from(third_octet) << 8)
}

fn place(third_octet: u16, host: u16) -> u32 {
    let host = u32::from(host);
    subnet(third_octet) + ((host / HOSTS_PER_SUBNET) << 8) + 10 + 2 * (host % HOSTS_PER_SUBNET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_hosts_share_an_address_or_an_interface_name() {
        for name in Profile::NAMES {
            let network = Network::new(&Profile::by_name(name).unwrap());
            let names: std::collections::BTreeSet<_> =
                network.interfaces.iter().map(|i| i.name).collect();
            let addresses: std::collections::BTreeSet<_> =
                network.interfaces.iter().map(|i| i.address).collect();
            assert_eq!(names.len(), network.interfaces());
            assert_eq!(addresses.len(), network.interfaces());
        }
    }

    #[test]
    fn down_hosts_and_vacant_addresses_have_no_interface() {
        let network = Network::new(&Profile::quiet());
        let vacant = network.vacant(200);
        assert_eq!(vacant.len(), 200);
        assert!(
            vacant.iter().chain(&network.down).all(|address| network.interface(*address).is_none())
        );
    }
}
