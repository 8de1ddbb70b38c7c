import COpenSSL

/// How far a handshake is.
public enum TLSHandshake: Sendable, Equatable {
    case needsInput
    case done
    case failed(TLSFailure)
}

/// What one call of `open` gave.
public struct TLSOpened: Sendable, Equatable {
    public enum State: Sendable {
        case goesOn
        /// The peer sends nothing more (close_notify).
        case closed
        /// See `TLSSession.failure`. What was opened before is good, what is to be sent (an alert) too.
        case failed
    }

    /// Bytes of plaintext.
    public let count: Int
    /// Bytes that have to be sent to the peer.
    public let replyCount: Int
    public let state: State
}

/// TLS of one connection: bytes in, bytes out. One worker owns it at a time; it may move between workers.
@safe
public final class TLSSession: @unchecked Sendable {
    /// Holds OpenSSL's part of the context as long as it lives.
    private let session: OpaquePointer

    private init(_ context: TLSContext, host: String?, isDirect: Bool, resuming: TLSSession?) throws(TLSFailure) {
        let resumed = unsafe resuming?.session
        let session =
            if let host {
                unsafe host.withCString { unsafe ct_session_new(context.handle.pointer, $0, isDirect ? 1 : 0, resumed) }
            } else {
                unsafe ct_session_new(context.handle.pointer, nil, isDirect ? 1 : 0, resumed)
            }
        guard let session = unsafe session else {
            throw TLSFailure(reason: .internal, text: "no TLS session can be made")
        }
        unsafe self.session = session
    }

    /// The side of the server.
    ///
    /// - Throws: when memory is short, and for a context of the other side.
    public convenience init(accepting context: TLSContext) throws(TLSFailure) {
        guard context.isServer else { throw TLSFailure(reason: .internal, text: "a context for clients accepts none") }
        try self.init(context, host: nil, isDirect: false, resuming: nil)
    }

    /// The side of the client.
    ///
    /// - Parameters:
    ///   - host: name or address of the server: what its certificate is checked for (`chainAndHost`), and what it is
    ///     asked for (SNI) unless it is an address.
    ///   - isDirect: without SSLRequest; the server then has to agree on the protocol (ALPN).
    /// - Throws: when the host cannot be a host, and as above.
    public convenience init(
        connectingWith context: TLSContext, host: String?, isDirect: Bool
    ) throws(TLSFailure) {
        try self.init(connectingWith: context, host: host, isDirect: isDirect, resuming: nil)
    }

    /// - Parameter resuming: a session that may have got a ticket.
    convenience init(
        connectingWith context: TLSContext, host: String?, isDirect: Bool, resuming: TLSSession?
    ) throws(TLSFailure) {
        guard !context.isServer else {
            throw TLSFailure(reason: .internal, text: "a context for servers connects none")
        }
        let host = host?.isEmpty == true ? nil : host
        guard host != nil || !context.verifiesHost else {
            throw TLSFailure(reason: .hostMismatch, text: "no host name to verify the server's certificate with")
        }
        guard host.map({ $0.utf8.count <= Self.hostLengthMax && !$0.utf8.contains(0) }) ?? true else {
            throw TLSFailure(reason: .hostMismatch, text: "the server's host name is none")
        }
        try self.init(context, host: host, isDirect: isDirect, resuming: resuming)
    }

    deinit { unsafe ct_session_free(self.session) }

    /// Bytes of a server name (RFC 6066).
    static let hostLengthMax = 255

    // MARK: Handshake

    /// Bytes for one step of the handshake at most: those behind it are kept, and there is room for so many. A flight
    /// with a long chain of certificates has some ten thousand.
    public static let handshakeInputMax = Int(CT_HELD)

    /// One step of the handshake with all bytes of `sealed` (`handshakeInputMax` at most) taken in.
    ///
    /// Bytes behind the handshake are kept: after `.done`, call `open` once with nothing.
    /// - Parameter output: what is appended has to be sent to the peer whatever the step says: a client begins with a
    ///   step without input, and a failure has its alert.
    public func handshake(_ sealed: UnsafeRawBufferPointer, output: inout [UInt8]) -> TLSHandshake {
        var flight: UnsafePointer<UInt8>?
        var length = 0
        let input = unsafe sealed.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let state = unsafe ct_handshake(self.session, input, sealed.count, &flight, &length)
        if let flight = unsafe flight, length > 0 {
            unsafe output.append(contentsOf: UnsafeBufferPointer(start: flight, count: length))
        }
        unsafe ct_flight_sent(self.session)
        switch Int(state) {
        case CT_MORE: return .needsInput
        case CT_DONE: return .done
        default: return .failed(self.failure ?? TLSFailure(reason: .internal, text: "no reason"))
        }
    }

    // MARK: Records

    /// Opens all of `sealed`. Fails when the peer changes its keys or sends session tickets more than 32 times in it,
    /// or without data between.
    ///
    /// - Parameters:
    ///   - plain: with room for `sealed.count` bytes and 64 KiB; less may end in `.failed`.
    ///   - replies: for what OpenSSL says by itself (an alert), mostly nothing; 512 bytes are enough.
    public func open(
        _ sealed: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer,
        replies: UnsafeMutableRawBufferPointer
    ) -> TLSOpened {
        let opened = unsafe ct_open(
            self.session, sealed.baseAddress?.assumingMemoryBound(to: UInt8.self), sealed.count,
            plain.baseAddress?.assumingMemoryBound(to: UInt8.self), plain.count,
            replies.baseAddress?.assumingMemoryBound(to: UInt8.self), replies.count)
        let state: TLSOpened.State =
            switch Int(opened.state) {
            case CT_MORE: .goesOn
            case CT_SHUT: .closed
            default: .failed
            }
        return TLSOpened(count: opened.count, replyCount: opened.reply_count, state: state)
    }

    /// Whether the peer has sent the beginning of a record, and not yet its end.
    public var isWithinRecord: Bool { unsafe ct_is_within_record(self.session) != 0 }

    /// Seals as much of `plain` as surely fits into `sealed`: all of it with room for `sealedBound(plain.count)`.
    ///
    /// - Returns: bytes taken of `plain`, -1 on failure, and bytes written to `sealed`; both count after a failure too:
    ///   what was written may be sent.
    public func seal(
        _ plain: UnsafeRawBufferPointer, into sealed: UnsafeMutableRawBufferPointer
    ) -> (taken: Int, written: Int) {
        let result = unsafe ct_seal(
            self.session, plain.baseAddress?.assumingMemoryBound(to: UInt8.self), plain.count,
            sealed.baseAddress?.assumingMemoryBound(to: UInt8.self), sealed.count)
        return (result.taken, result.written)
    }

    /// Room that `count` bytes need at most once sealed, whatever the cipher and the records that the peer asked for.
    public static func sealedBound(_ count: Int) -> Int { ct_sealed_bound(count) }

    /// Says that nothing more is sent (close_notify).
    ///
    /// - Returns: bytes written to `sealed`; 0 before the handshake is done, after a failure, and the second time.
    ///   64 bytes are room enough.
    public func closing(into sealed: UnsafeMutableRawBufferPointer) -> Int {
        unsafe ct_close(self.session, sealed.baseAddress?.assumingMemoryBound(to: UInt8.self), sealed.count)
    }

    /// The next bytes sealed carry new keys (TLSv1.3); that also happens by itself after very many records.
    ///
    /// - Parameter asksPeer: whether the peer is asked for new keys of its own.
    func updateKeys(asksPeer: Bool) -> Bool { unsafe ct_update_keys(self.session, asksPeer ? 1 : 0) == 1 }

    /// Tells the peer at once, in a record without data.
    ///
    /// - Returns: bytes written to `sealed`; 0 when that cannot be. 64 bytes are room enough.
    func sealKeys(asksPeer: Bool, into sealed: UnsafeMutableRawBufferPointer) -> Int {
        let base = unsafe sealed.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return unsafe ct_seal_keys(self.session, asksPeer ? 1 : 0, base, sealed.count)
    }

    func setRecordsMax(_ records: UInt64) { unsafe ct_set_records_max(self.session, records) }

    // MARK: What was agreed

    /// Of the first failure; nil before one.
    public var failure: TLSFailure? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CT_TEXT)) { text in
            guard let base = text.baseAddress else { return nil }
            let code = unsafe ct_failure(self.session, base)
            guard Int(code) != CT_NONE else { return nil }
            return TLSFailure(reason: .init(code: code), text: unsafe String(cString: base))
        }
    }

    /// Nil before the handshake is done, as are those below.
    public var version: TLSVersion? { unsafe TLSVersion(code: ct_version(self.session)) }
    /// As `pg_stat_ssl` has it: `TLSv1.3`; empty before the handshake is done.
    public var versionText: String { self.version?.rawValue ?? "" }
    /// As `pg_stat_ssl` has it: `TLS_AES_256_GCM_SHA384`; empty before the handshake is done.
    public var cipher: String { unsafe ct_cipher(self.session).map { unsafe String(cString: $0) } ?? "" }
    public var isResumed: Bool { unsafe ct_is_resumed(self.session) == 1 }

    /// What the client asked for (SNI), as it wrote it but for a last dot, which is no part of it (RFC 6066, section 3)
    /// and which libpq sends along; nil when that is no host name, and on the client's side.
    public var serverName: String? {
        guard let name = unsafe ct_server_name(self.session) else { return nil }
        var text = unsafe String(cString: name)
        if text.hasSuffix(".") { text.removeLast() }
        return TLSServerNamePattern.isHostName(Array(text.utf8)) ? text : nil
    }

    /// The protocol agreed on (ALPN): `postgresql` or none.
    public var alpn: String? {
        var name: UnsafePointer<UInt8>?
        let length = unsafe ct_alpn(self.session, &name)
        guard let name = unsafe name, length > 0 else { return nil }
        return unsafe String(decoding: UnsafeBufferPointer(start: name, count: length), as: UTF8.self)
    }

    /// tls-server-end-point of the server's certificate: the own one when accepting, the peer's when connecting.
    public var endpointBinding: [UInt8]? {
        var hash = [UInt8](repeating: 0, count: Int(CT_HASH))
        let length = unsafe hash.withUnsafeMutableBufferPointer { hash in
            guard let base = hash.baseAddress else { return 0 }
            return unsafe ct_session_binding(self.session, base)
        }
        return length > 0 ? Array(hash.prefix(length)) : nil
    }

    /// Of the peer, when it came with a certificate and that was verified.
    public var peerCertificate: TLSPeerCertificate? {
        guard unsafe ct_has_verified_peer(self.session) == 1 else { return nil }
        return TLSPeerCertificate(
            commonName: self.peerName(CT_COMMON_NAME), subject: self.peerName(CT_SUBJECT) ?? "",
            issuer: self.peerName(CT_ISSUER) ?? "", serial: self.peerName(CT_SERIAL) ?? "")
    }

    private func peerName(_ which: Int) -> String? {
        unsafe readName { name in unsafe ct_peer_name(self.session, Int32(which), name) }
    }
}
