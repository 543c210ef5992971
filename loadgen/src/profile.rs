//! How large the generated network is and what its hosts mostly do.

use thiserror::Error;

/// The size of a network and the mix of its ordinary traffic.
///
/// Counts are hosts. The periodic traffic (health checks, scrapes, syslog, internet noise) depends
/// on these counts only; the plan's rate is reached by adding conversations drawn by [`Weights`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name by which `by_name` finds it.
    pub name: &'static str,
    /// Hosts that answer the internet on 443 and 80.
    pub public_servers: u16,
    /// Hosts that each offer one internal service.
    pub service_hosts: u16,
    /// Hosts that call services and browse through the NAT gateway.
    pub clients: u16,
    /// Hosts that upload to S3 all day.
    pub backup_hosts: u16,
    /// Interfaces without traffic, which log NODATA.
    pub idle_hosts: u16,
    /// Hosts that the monitoring scrapes although they are down; at most 2, or the scrape looks
    /// like a sweep.
    pub down_hosts: u16,
    /// Load balancers that check every target every 30 s.
    pub balancers: u16,
    /// Rejected probes that each public-facing host receives from the internet.
    pub noise_probes_per_min: u16,
    /// What a drawn conversation is.
    pub weights: Weights,
}

/// Relative frequencies of the drawn conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// A client calls an internal TCP service.
    pub service_calls: u16,
    /// A client asks one of the network's own resolvers.
    pub dns_queries: u16,
    /// Somebody on the internet calls a public-facing host.
    pub inbound_requests: u16,
    /// A client reaches the internet through the NAT gateway.
    pub browsing: u16,
    /// NTP and DNS to the internet through the NAT gateway.
    pub outside_udp: u16,
}

/// A profile name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown profile `{name}`; profiles are {}", Profile::NAMES.join(", "))]
pub struct UnknownProfile {
    /// What was asked for.
    pub name: String,
}

impl Profile {
    /// The names of all profiles.
    pub const NAMES: [&'static str; 3] = ["ordinary", "busy", "quiet"];

    /// A company's VPC of about 200 hosts; meant for 100 to 2,000 records a second.
    #[must_use]
    pub fn ordinary() -> Self {
        Self {
            name: "ordinary",
            public_servers: 12,
            service_hosts: 28,
            clients: 120,
            backup_hosts: 4,
            idle_hosts: 6,
            down_hosts: 2,
            balancers: 3,
            noise_probes_per_min: 3,
            weights: Weights {
                service_calls: 45,
                dns_queries: 15,
                inbound_requests: 20,
                browsing: 17,
                outside_udp: 3,
            },
        }
    }

    /// About 1,000 hosts, 48 of them public-facing; meant for 1,000 records a second and more.
    #[must_use]
    pub fn busy() -> Self {
        Self {
            name: "busy",
            public_servers: 48,
            service_hosts: 98,
            clients: 800,
            backup_hosts: 12,
            idle_hosts: 20,
            ..Self::ordinary()
        }
    }

    /// A small office of 60 hosts; meant for 20 to 200 records a second.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            name: "quiet",
            public_servers: 4,
            service_hosts: 7,
            clients: 24,
            backup_hosts: 2,
            idle_hosts: 3,
            down_hosts: 1,
            balancers: 2,
            ..Self::ordinary()
        }
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// [`UnknownProfile`], whose text lists the names.
    pub fn by_name(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "ordinary" => Ok(Self::ordinary()),
            "busy" => Ok(Self::busy()),
            "quiet" => Ok(Self::quiet()),
            _ => Err(UnknownProfile { name: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_a_profile_of_that_name() {
        for name in Profile::NAMES {
            assert_eq!(Profile::by_name(name).unwrap().name, name);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        let error = Profile::by_name("huge").unwrap_err().to_string();
        assert_eq!(error, "unknown profile `huge`; profiles are ordinary, busy, quiet");
    }
}
