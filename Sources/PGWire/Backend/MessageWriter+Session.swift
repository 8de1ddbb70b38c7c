/// Messages that tell a client about its session: parameters, cancel key, readiness, protocol version.
extension MessageWriter {
    package mutating func parameterStatus(name: String, value: String) {
        self.begin(BackendMessageKind.parameterStatus)
        self.cString(name)
        self.cString(value)
        self.end()
    }

    /// - Parameter secret: four bytes in protocol 3.0, up to 256 in 3.2.
    package mutating func backendKeyData(processID: Int32, secret: [UInt8]) {
        self.begin(BackendMessageKind.backendKeyData)
        self.int32(processID)
        self.raw(secret)
        self.end()
    }

    package mutating func readyForQuery(_ status: TransactionStatus) {
        self.begin(BackendMessageKind.readyForQuery)
        self.uint8(status.rawValue)
        self.end()
    }

    /// The answer to a StartupMessage that asks for a newer minor version or for unknown `_pq_.` options.
    ///
    /// The chapter calls the first field the newest minor version; PostgreSQL sends, and libpq reads, the whole
    /// version code with the major version in the high half.
    package mutating func negotiateProtocolVersion(minor: UInt16, unrecognized: [String]) {
        self.begin(BackendMessageKind.negotiateProtocolVersion)
        self.int32(ProtocolVersion(major: 3, minor: minor).code)
        self.int32(Int32(clamping: unrecognized.count))
        for name in unrecognized {
            self.cString(name)
        }
        self.end()
    }

    package mutating func notificationResponse(processID: Int32, channel: String, payload: String) {
        self.begin(BackendMessageKind.notificationResponse)
        self.int32(processID)
        self.cString(channel)
        self.cString(payload)
        self.end()
    }
}
