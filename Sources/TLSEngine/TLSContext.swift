import COpenSSL

/// What all sessions of one load share: certificates, keys, rules. Immutable, so any worker may use it.
public final class TLSContext: Sendable {
    let handle: ContextHandle
    let isServer: Bool
    let verifiesHost: Bool

    /// tls-server-end-point of the own certificate (RFC 5929): its hash by the digest of its signature, SHA-256 for MD5
    /// and SHA-1. Nil without a certificate, and where the signature has no digest (Ed25519).
    public let endpointBinding: [UInt8]?
    /// Distinguished name of the own certificate (RFC 2253); nil without.
    public let subject: String?
    /// Seconds since 1970 from which the own certificate is valid.
    public let notBefore: Int64?
    /// Seconds since 1970 until which the own certificate is valid.
    public let notAfter: Int64?

    private init(_ handle: ContextHandle, isServer: Bool, verifiesHost: Bool) {
        self.handle = handle
        self.isServer = isServer
        self.verifiesHost = verifiesHost
        self.endpointBinding = handle.endpointBinding()
        self.subject = handle.subject()
        let validity = handle.validity()
        self.notBefore = validity?.notBefore
        self.notAfter = validity?.notAfter
    }

    /// For clients of ours.
    ///
    /// - Throws: for files that cannot be used, and for words that OpenSSL does not know.
    public convenience init(server options: TLSServerOptions) throws(TLSConfigurationError) {
        let handle = try ContextHandle(
            isServer: true, minimum: options.minimumVersion, maximum: options.maximumVersion)
        try handle.set(ciphers: options.cipherList, cipherSuites: options.cipherSuites, curves: options.curves)
        try handle.use(chain: options.certificateChain, key: options.privateKey)
        try handle.trust(authorities: options.clientAuthorities, revocationLists: options.revocationLists)
        guard options.clientCertificate == .ignored || options.clientAuthorities != nil else {
            throw TLSConfigurationError(part: .authorities, reason: "are missing: clients are asked for certificates")
        }
        switch options.clientCertificate {
        case .ignored: handle.verify(CT_VERIFY_NONE)
        case .optional: handle.verify(CT_VERIFY_OPTIONAL)
        case .required: handle.verify(CT_VERIFY_CHAIN)
        }
        handle.setTickets(options.sessionTickets)
        self.init(handle, isServer: true, verifiesHost: false)
    }

    /// Towards PostgreSQL.
    ///
    /// - Throws: as above.
    public convenience init(client options: TLSClientOptions) throws(TLSConfigurationError) {
        let handle = try ContextHandle(
            isServer: false, minimum: options.minimumVersion, maximum: options.maximumVersion)
        try handle.set(ciphers: options.cipherList, cipherSuites: options.cipherSuites, curves: options.curves)
        switch (options.certificateChain, options.privateKey) {
        case (nil, nil): break
        case (let chain?, let key?): try handle.use(chain: chain, key: key)
        case (_?, nil): throw TLSConfigurationError(part: .privateKey, reason: "is missing: there is a certificate")
        case (nil, _?): throw TLSConfigurationError(part: .certificate, reason: "is missing: there is a private key")
        }
        try handle.trust(authorities: options.authorities, revocationLists: options.revocationLists)
        guard options.verification == .none || options.authorities != nil else {
            throw TLSConfigurationError(part: .authorities, reason: "are missing: servers are to be verified")
        }
        switch options.verification {
        case .none: handle.verify(CT_VERIFY_NONE)
        case .chain: handle.verify(CT_VERIFY_CHAIN)
        case .chainAndHost: handle.verify(CT_VERIFY_HOST)
        }
        self.init(handle, isServer: false, verifiesHost: options.verification == .chainAndHost)
    }
}
