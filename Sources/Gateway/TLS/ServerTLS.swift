import Sessions
import Settings
import TLSEngine

/// TLS towards the servers of a pool. Immutable; two are equal when settings and files are, and a pool whose TLS has
/// changed is replaced: its servers end as they come back.
final class ServerTLS: Sendable, Equatable {
    let settings: ServerTLSSettings
    /// Nil where TLS is never used.
    let context: TLSContext?
    private let fingerprint: [UInt8]

    /// - Parameter section: where the settings stand, for errors.
    /// - Throws: for files that cannot be read or used.
    init(_ settings: ServerTLSSettings, section: String) throws(SnapshotError) {
        self.settings = settings
        guard settings.mode != .disable else {
            self.context = nil
            self.fingerprint = []
            return
        }
        var files = TLSFiles(section: section, prefix: "server_tls_")
        var options = TLSClientOptions()
        options.authorities = files.read(settings.caCert, .authorities)
        options.revocationLists = files.read(settings.crlFile, .revocationLists)
        options.certificateChain = files.read(settings.certificate, .certificate)
        options.privateKey = files.read(settings.privateKey, .privateKey)
        defer {
            // The file of the certificate may hold the key as well.
            var (key, chain) = (options.privateKey ?? [], options.certificateChain ?? [])
            (options.privateKey, options.certificateChain) = (nil, nil)
            key.wipe()
            chain.wipe()
        }
        try files.check()
        options.verification =
            switch settings.verification {
            case .none: .none
            case .chain: .chain
            case .chainAndHost: .chainAndHost
            }
        options.minimumVersion = TLSVersion(settings.minVersion)
        options.maximumVersion = settings.maxVersion.map { TLSVersion($0) }
        options.cipherList = settings.ciphers
        self.fingerprint = files.fingerprint
        do throws(TLSConfigurationError) {
            self.context = try TLSContext(client: options)
        } catch {
            throw files.problem(error)
        }
    }

    static func == (left: ServerTLS, right: ServerTLS) -> Bool {
        left === right || (left.settings == right.settings && left.fingerprint == right.fingerprint)
    }

    var mode: ServerTransport.Mode { ServerTransport.Mode(rawValue: self.settings.mode.rawValue) ?? .verifyFull }

    var channelBinding: ServerLogin.ChannelBinding {
        ServerLogin.ChannelBinding(rawValue: self.settings.channelBinding.rawValue) ?? .require
    }

    var negotiation: ServerTransport.Negotiation {
        ServerTransport.Negotiation(rawValue: self.settings.negotiation.rawValue) ?? .postgres
    }
}
