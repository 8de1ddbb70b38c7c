/// Where logins come from, as far as guessing is counted: an IPv4 address, the /64 of an IPv6 address (one host has a
/// whole one at its disposal), or the unix socket. A value.
package struct LoginOrigin: Hashable, Sendable {
    private let family: UInt8
    private let bits: UInt64

    private init(family: UInt8, bits: UInt64) {
        self.family = family
        self.bits = bits
    }

    /// - Parameter bits: the address in host order.
    package static func v4(_ bits: UInt32) -> Self { Self(family: 4, bits: UInt64(bits)) }

    /// - Parameter high: the upper half of the address in host order.
    package static func v6(high: UInt64) -> Self { Self(family: 6, bits: high) }

    /// Clients of the unix socket cannot be told apart: each user counts by itself, so that one process that guesses
    /// slows no other user of the machine.
    package static func local(user: String) -> Self {
        Self(family: 1, bits: UInt64(bitPattern: Int64(user.hashValue)))
    }
}
