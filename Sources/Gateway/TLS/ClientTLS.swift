import Sessions
import Settings
import TLSEngine

/// TLS for clients, as the settings in force have it. Immutable; a reload makes another one where settings or files
/// have changed, and sessions that began before go on with theirs.
final class ClientTLS: Sendable {
    let context: TLSContext
    private let settings: ClientTLSSettings
    private let fingerprint: [UInt8]

    var isRequired: Bool { self.settings.isRequired }

    /// - Parameter previous: goes on where nothing has changed, so that session tickets stay good.
    /// - Returns: nil when TLS is not offered.
    /// - Throws: for files that cannot be read or used; nothing of the new settings applies then.
    static func make(_ settings: ClientTLSSettings, previous: ClientTLS?) throws(SnapshotError) -> ClientTLS? {
        guard settings.isOffered else { return nil }
        var files = TLSFiles(section: "general", prefix: "tls_")
        var options = TLSServerOptions(
            certificateChain: files.read(settings.certificate, .certificate) ?? [],
            privateKey: files.read(settings.privateKey, .privateKey) ?? []
        )
        // The file of the certificate may hold the key as well.
        defer {
            options.privateKey.wipe()
            options.certificateChain.wipe()
        }
        options.clientAuthorities = files.read(settings.caCert, .authorities)
        options.revocationLists = files.read(settings.crlFile, .revocationLists)
        try files.check()
        let fingerprint = files.fingerprint
        if let previous, previous.settings == settings, previous.fingerprint == fingerprint { return previous }
        options.clientCertificate =
            switch settings.clientCertificates {
            case .ignored: .ignored
            case .optional: .optional
            case .required: .required
            }
        options.minimumVersion = TLSVersion(settings.minVersion)
        options.maximumVersion = settings.maxVersion.map { TLSVersion($0) }
        options.cipherList = settings.ciphers
        options.cipherSuites = settings.cipherSuites
        options.curves = settings.curves
        options.sessionTickets = settings.sessionTickets
        do throws(TLSConfigurationError) {
            return ClientTLS(try TLSContext(server: options), settings, fingerprint)
        } catch {
            throw files.problem(error)
        }
    }

    private init(_ context: TLSContext, _ settings: ClientTLSSettings, _ fingerprint: [UInt8]) {
        self.context = context
        self.settings = settings
        self.fingerprint = fingerprint
    }

    /// What the administrator should know about the certificate.
    ///
    /// - Parameter now: seconds since 1970.
    func warnings(now: Int64) -> [String] {
        CertificateValidity.warnings(self.context, name: "general.tls_certificate", now: now)
    }
}

/// Certificates that are about to stop working.
enum CertificateValidity {
    /// Long enough to act, short enough not to be heard all the time by those whose certificates live 90 days.
    private static let noticeDays: Int64 = 14

    static func warnings(_ context: TLSContext, name: String, now: Int64) -> [String] {
        if let begin = context.notBefore, begin > now { return ["\(name): the certificate is not valid yet"] }
        guard let end = context.notAfter else { return [] }
        if end <= now { return ["\(name): the certificate has expired"] }
        let days = (end - now) / 86_400
        return days < Self.noticeDays ? ["\(name): the certificate expires in \(days) days"] : []
    }
}

extension TLSVersion {
    init(_ version: TLSProtocolVersion) {
        switch version {
        case .tls12: self = .tls12
        case .tls13: self = .tls13
        }
    }
}
