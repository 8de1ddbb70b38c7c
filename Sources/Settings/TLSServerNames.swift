/// Which pool the host name of a TLS handshake (SNI) and the database that a client asks for lead to. Immutable.
package struct TLSServerNames: Sendable, Equatable {
    fileprivate struct Question: Hashable, Sendable {
        /// Lower case; a leading `*.` stands for one label.
        let pattern: String
        let database: [UInt8]
    }

    private let pools: [Question: String]

    /// - Parameter claims: pools with their patterns, each with the databases that lead to it.
    fileprivate init(pools: [Question: String]) { self.pools = pools }

    /// - Parameter serverName: as the client sent it; case does not matter.
    /// - Returns: the name of a pool; nil when the names lead nowhere and the database alone decides.
    package func pool(serverName: String, database: String) -> String? {
        guard !self.pools.isEmpty else { return nil }
        let name = serverName.lowercased()
        let bytes = Array(database.utf8)
        if let pool = self.pools[Question(pattern: name, database: bytes)] { return pool }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return nil }
        return self.pools[Question(pattern: "*" + name[dot...], database: bytes)]
    }

    /// The form that names are compared in; nil when the text is neither a host name nor one behind `*.`.
    static func pattern(_ text: String) -> String? {
        let isWild = text.hasPrefix("*.")
        let name = isWild ? text.dropFirst(2) : text[...]
        guard !name.isEmpty, text.utf8.count <= 253 else { return nil }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
        }
        // A last label of digits is an IPv4 address, which never stands in SNI.
        let isAddress = labels.last?.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? true
        return isName && !isAddress ? text.lowercased() : nil
    }

    /// Collects the names of all pools and reports those that would lead to two. One use per load.
    struct Collector {
        private var pools: [Question: String] = [:]

        mutating func add(_ pool: PoolSettings, _ values: SectionValues, _ diagnostics: inout Diagnostics) {
            let databases = pool.name == pool.serverDatabase ? [pool.name] : [pool.name, pool.serverDatabase]
            for pattern in Set(pool.tlsServerNames).sorted() {
                for database in databases {
                    let question = Question(pattern: pattern, database: Array(database.utf8))
                    guard let other = self.pools.updateValue(pool.name, forKey: question) else { continue }
                    diagnostics.report(
                        values.location(of: "tls_server_names"), values.path(of: "tls_server_names"),
                        "`\(pattern)` with the database `\(database)` leads to the pools `\(other)` and `\(pool.name)`"
                    )
                }
            }
        }

        var names: TLSServerNames { TLSServerNames(pools: self.pools) }
    }
}
