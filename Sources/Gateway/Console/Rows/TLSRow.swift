/// The TLS handshakes with one side (`SHOW TLS`).
package struct TLSRow: ConsoleRow, Equatable {
    package var side: String
    package var handshakes: Int
    package var resumed: Int
    package var direct: Int
    package var underWay: Int
    /// Each reason once, those that occurred.
    package var failures: [ReasonCount]
    package var p50Microseconds: Int?
    package var p90Microseconds: Int?
    package var p99Microseconds: Int?

    package init(
        side: String,
        handshakes: Int,
        resumed: Int = 0,
        direct: Int = 0,
        underWay: Int = 0,
        failures: [ReasonCount] = [],
        p50Microseconds: Int? = nil,
        p90Microseconds: Int? = nil,
        p99Microseconds: Int? = nil
    ) {
        self.side = side
        self.handshakes = handshakes
        self.resumed = resumed
        self.direct = direct
        self.underWay = underWay
        self.failures = failures
        self.p50Microseconds = p50Microseconds
        self.p90Microseconds = p90Microseconds
        self.p99Microseconds = p99Microseconds
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("side", "`clients` or `servers`") { $0.side },
        .number("handshakes", "Handshakes that have succeeded") { $0.handshakes },
        .number("resumed", "Those among them that resumed an earlier session") { $0.resumed },
        .number("direct", "Those among them without a request in front (`sslnegotiation=direct`)") { $0.direct },
        .number("under_way", "Handshakes that have begun and not ended") { $0.underWay },
        .number("failures", "Handshakes that have failed, for whatever reason") { row in
            row.failures.total
        },
        .text("failure_reasons", "The same by reason: `reason=n`, separated by commas") { row in
            row.failures.text
        },
        .number(
            "p50_us",
            """
            Half of the handshakes took at most so many microseconds, the other side's time included; told within an \
            eighth, NULL before the first
            """
        ) { $0.p50Microseconds },
        .number("p90_us", "The same for 90 of 100") { $0.p90Microseconds },
        .number("p99_us", "The same for 99 of 100") { $0.p99Microseconds },
    ]
}
