//! Which of two ports is the service, when nothing better tells.
//!
//! Ports fall into four classes; the side in the better class is the service. Two ports of one class tell nothing.

/// The class of a port; a smaller one is more likely a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Class {
    /// In [`POPULAR`].
    Popular,
    /// Below 1024: needs privileges to listen on (RFC 6335, "System Ports").
    System,
    /// 1024 to 32767.
    Registered,
    /// 32768 and above, where Linux (32768–60999) and Windows and the IANA range (49152–65535) draw client ports from.
    Ephemeral,
}

/// Which end of a record is the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServiceSide {
    /// The record goes to the service: a request.
    Destination,
    /// The record comes from the service: a reply.
    Source,
    /// The ports do not tell.
    Unknown,
}

/// Tells the service side by the classes of the two ports.
#[must_use]
pub fn service_side(source_port: u16, destination_port: u16) -> ServiceSide {
    match class(source_port).cmp(&class(destination_port)) {
        std::cmp::Ordering::Greater => ServiceSide::Destination,
        std::cmp::Ordering::Less => ServiceSide::Source,
        std::cmp::Ordering::Equal => ServiceSide::Unknown,
    }
}

/// Whether clients may have this port: operating systems draw from 32768 on, NAT gateways from 1024 on.
#[must_use]
pub fn is_client(port: u16) -> bool {
    class(port) >= Class::Registered
}

fn class(port: u16) -> Class {
    const POPULAR_BITS: [u64; 1024] = popular_bits();
    if POPULAR_BITS[usize::from(port >> 6)] >> (port & 63) & 1 == 1 {
        return Class::Popular;
    }
    match port {
        0..1024 => Class::System,
        1024..32768 => Class::Registered,
        _ => Class::Ephemeral,
    }
}

const fn popular_bits() -> [u64; 1024] {
    let mut bits = [0; 1024];
    let mut index = 0;
    while index < POPULAR.len() {
        let port = POPULAR[index];
        bits[(port >> 6) as usize] |= 1 << (port & 63);
        index += 1;
    }
    bits
}

/// Services commonly met in a VPC: names from the IANA registry, and the defaults of common servers. Being here only
/// makes a port win against one that is not.
const POPULAR: [u16; 82] = [
    21, 22, 23, 25, 53, 80, 88, 110, 111, 123, 135, 137, 138, 139, 143, 161, 179, 389, 443, 445,
    465, 514, 515, 587, 631, 636, 873, 989, 990, 993, 995, 1080, 1194, 1433, 1434, 1521, 1723,
    1883, 2049, 2181, 2375, 2376, 2379, 3128, 3268, 3306, 3389, 4369, 5000, 5060, 5222, 5223, 5228,
    5432, 5601, 5671, 5672, 5900, 5985, 5986, 6379, 6443, 7001, 8000, 8008, 8080, 8081, 8086, 8125,
    8443, 8883, 8888, 9000, 9042, 9090, 9092, 9100, 9200, 9300, 10250, 11211, 27017,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_port_to_a_service_is_a_request() {
        for (source, destination) in
            [(51406, 116), (36050, 80), (7769, 8080), (6000, 1433), (40000, 9999)]
        {
            assert_eq!(service_side(source, destination), ServiceSide::Destination);
        }
    }

    #[test]
    fn ports_of_one_class_tell_nothing() {
        for (source, destination) in [(51413, 60000), (5555, 7777), (80, 443), (216, 217)] {
            assert_eq!(service_side(source, destination), ServiceSide::Unknown);
        }
    }

    proptest! {
        #[test]
        fn the_reply_is_always_seen_as_the_reverse_of_the_request(source: u16, destination: u16) {
            let expected = match service_side(source, destination) {
                ServiceSide::Destination => ServiceSide::Source,
                ServiceSide::Source => ServiceSide::Destination,
                ServiceSide::Unknown => ServiceSide::Unknown,
            };
            prop_assert_eq!(service_side(destination, source), expected);
        }
    }
}
