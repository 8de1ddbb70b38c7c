import AuthProviders
import Sessions
import TLSEngine

/// Reads the files that TLS settings name, and remembers what they held: settings that name the same files mean
/// something else once a file has changed. Blocks: not for workers.
struct TLSFiles {
    /// A bundle of all public authorities is about a quarter of this.
    static let sizeMax = 1 << 20

    /// Where the settings stand: `general` or `pools.NAME`.
    let section: String
    /// What the keys begin with: `tls_` or `server_tls_`.
    let prefix: String
    /// The hashes of all that was read, one after the other.
    private(set) var fingerprint: [UInt8] = []
    private var paths: [TLSConfigurationError.Part: String] = [:]
    private var problems: [SnapshotError.Problem] = []

    init(section: String, prefix: String) {
        self.section = section
        self.prefix = prefix
    }

    /// - Returns: the bytes of the file; nil without a path, and for a file that cannot be read: see `check`.
    mutating func read(_ path: String?, _ part: TLSConfigurationError.Part) -> [UInt8]? {
        guard let path else { return nil }
        self.paths[part] = path
        do throws(BoundedFile.Problem) {
            let bytes = try BoundedFile.read(path, limit: Self.sizeMax)
            self.fingerprint += ContentHash.sha256(bytes)
            return bytes
        } catch {
            let reason =
                switch error {
                case .missing: "there is no such file"
                case .unreadable(let text): text
                case .tooLarge: "it has more than \(Self.sizeMax) bytes"
                }
            self.problems.append(.init(at: self.key(part), "\(path): \(reason)"))
            return nil
        }
    }

    /// - Throws: for all files that could not be read.
    func check() throws(SnapshotError) {
        if !self.problems.isEmpty { throw SnapshotError(self.problems) }
    }

    /// What OpenSSL says about one of the files or lists, at the setting that gave it.
    func problem(_ error: TLSConfigurationError) -> SnapshotError {
        let place = self.paths[error.part].map { "\($0): " } ?? ""
        return SnapshotError(at: self.key(error.part), "\(place)\(error.reason)")
    }

    private func key(_ part: TLSConfigurationError.Part) -> String {
        let key =
            switch part {
            case .certificate: "certificate"
            case .privateKey: "private_key"
            case .authorities: "ca_cert"
            case .revocationLists: "crl_file"
            case .ciphers: "ciphers"
            case .cipherSuites: "ciphersuites"
            case .curves: "curves"
            case .versions: "max_version"
            case .library: "mode"
            }
        return "\(self.section).\(self.prefix)\(key)"
    }
}
