import COpenSSL

/// A context of OpenSSL while it is built, and after. It is changed by nobody once a `TLSContext` has it.
@safe
final class ContextHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(isServer: Bool, minimum: TLSVersion, maximum: TLSVersion?) throws(TLSConfigurationError) {
        let newest = maximum ?? TLSVersion.tls13
        guard minimum <= newest else {
            throw TLSConfigurationError(
                part: .versions, reason: "end at \(newest.rawValue) before they begin at \(minimum.rawValue)")
        }
        guard let pointer = unsafe ct_context_new(isServer ? 1 : 0, minimum.code, newest.code) else {
            throw TLSConfigurationError(part: .library, reason: "makes no context")
        }
        unsafe self.pointer = pointer
    }

    deinit { unsafe ct_context_free(self.pointer) }

    /// To be called before certificates are given: the cipher list carries OpenSSL's security level.
    func set(ciphers: String?, cipherSuites: String?, curves: String?) throws(TLSConfigurationError) {
        if let ciphers { try unsafe self.set(ciphers, of: .ciphers, by: ct_context_set_ciphers) }
        if let cipherSuites { try unsafe self.set(cipherSuites, of: .cipherSuites, by: ct_context_set_cipher_suites) }
        if let curves { try unsafe self.set(curves, of: .curves, by: ct_context_set_curves) }
    }

    func use(chain: [UInt8], key: [UInt8]) throws(TLSConfigurationError) {
        try unsafe self.give(chain, as: .certificate, by: ct_context_use_chain)
        try unsafe self.give(key, as: .privateKey, by: ct_context_use_key)
    }

    func trust(authorities: [UInt8]?, revocationLists: [UInt8]?) throws(TLSConfigurationError) {
        if let authorities { try unsafe self.give(authorities, as: .authorities, by: ct_context_add_authorities) }
        if let revocationLists {
            try unsafe self.give(revocationLists, as: .revocationLists, by: ct_context_add_revocations)
        }
    }

    func verify(_ verification: Int) { unsafe ct_context_set_verification(self.pointer, Int32(verification)) }

    func setTickets(_ isOn: Bool) { unsafe ct_context_set_tickets(self.pointer, isOn ? 1 : 0) }

    // MARK: The own certificate

    func endpointBinding() -> [UInt8]? {
        var hash = [UInt8](repeating: 0, count: Int(CT_HASH))
        let length = unsafe hash.withUnsafeMutableBufferPointer { hash in
            guard let base = hash.baseAddress else { return 0 }
            return unsafe ct_context_binding(self.pointer, base)
        }
        return length > 0 ? Array(hash.prefix(length)) : nil
    }

    func subject() -> String? { unsafe readName { name in unsafe ct_context_subject(self.pointer, name) } }

    func validity() -> (notBefore: Int64, notAfter: Int64)? {
        var (notBefore, notAfter): (Int64, Int64) = (0, 0)
        guard unsafe ct_context_validity(self.pointer, &notBefore, &notAfter) == 1 else { return nil }
        return (notBefore, notAfter)
    }

    // MARK: Calls with a reason

    private typealias Reason = UnsafeMutablePointer<CChar>

    private func set(
        _ words: String, of part: TLSConfigurationError.Part,
        by call: (OpaquePointer?, UnsafePointer<CChar>?, Reason?) -> Int32
    ) throws(TLSConfigurationError) {
        guard !words.utf8.contains(0) else { throw TLSConfigurationError(part: part, reason: "have a NUL within") }
        try unsafe self.check(part) { reason in
            unsafe words.withCString { words in unsafe call(self.pointer, words, reason) }
        }
    }

    private func give(
        _ pem: [UInt8], as part: TLSConfigurationError.Part,
        by call: (OpaquePointer?, UnsafePointer<UInt8>?, Int, Reason?) -> Int32
    ) throws(TLSConfigurationError) {
        try unsafe self.check(part) { reason in
            unsafe pem.withUnsafeBufferPointer { pem in
                unsafe call(self.pointer, pem.baseAddress, pem.count, reason)
            }
        }
    }

    private func check(_ part: TLSConfigurationError.Part, _ call: (Reason) -> Int32) throws(TLSConfigurationError) {
        let reason = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CT_TEXT)) { text -> String? in
            guard let base = text.baseAddress else { return "cannot be read" }
            unsafe base.initialize(repeating: 0, count: text.count)
            return unsafe call(base) == 1 ? nil : String(cString: base)
        }
        if let reason { throw TLSConfigurationError(part: part, reason: reason) }
    }
}

/// Text that a function writes, with its length; nil for none. Bytes that are not UTF-8 never come out of these
/// functions.
func readName(_ write: (UnsafeMutablePointer<CChar>) -> Int) -> String? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CT_NAME)) { text in
        guard let base = text.baseAddress else { return nil }
        unsafe base.initialize(repeating: 0, count: text.count)
        return unsafe write(base) > 0 ? String(cString: base) : nil
    }
}
