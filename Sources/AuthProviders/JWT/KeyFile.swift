import Foundation
import Sessions

/// Why a file with keys cannot be used. The text names the file and holds nothing of its content.
struct KeyFileError: Error, Sendable, Equatable, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "\(self.path): \(self.reason)" }
}

/// Files with keys: PEM (public keys or certificates, one or several), or a JSON Web Key Set (RFC 7517).
enum KeyFile {
    /// Bytes of one file.
    static let sizeMax = 1 << 20
    /// Keys of one file.
    static let keysMax = 64

    /// The public keys of a file; at least one.
    ///
    /// - Parameter id: what the keys of a PEM file are called; those of a set name themselves.
    static func publicKeys(path: String, id: String? = nil) throws(KeyFileError) -> [TokenKey] {
        let bytes = try Self.read(path)
        let first = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        let keys =
            first == UInt8(ascii: "{")
            ? try Self.keySet(bytes, path: path) : try Self.pemKeys(bytes, path: path, id: id)
        guard keys.count <= Self.keysMax else {
            throw KeyFileError(path: path, reason: "has more than \(Self.keysMax) keys")
        }
        return keys
    }

    /// The private key of a PEM file, and the text of the file, to tell whether it changes.
    static func privateKey(path: String) throws(KeyFileError) -> (key: TokenKey, content: SecretBytes) {
        var bytes = try Self.read(path)
        defer { bytes.wipe() }
        guard let key = TokenKey(privatePEM: bytes) else {
            throw KeyFileError(path: path, reason: "is no RSA, P-256 or P-384 private key in PEM without a passphrase")
        }
        guard key.kind != .ed25519 else {
            throw KeyFileError(path: path, reason: "Ed25519 keys cannot sign tokens here, RSA and P-256 keys can")
        }
        return (key, SecretBytes(bytes))
    }

    // MARK: PEM

    private static func pemKeys(_ bytes: [UInt8], path: String, id: String?) throws(KeyFileError) -> [TokenKey] {
        let (begin, end) = (Array("-----BEGIN ".utf8), Array("-----END ".utf8))
        var keys: [TokenKey] = []
        var block: [UInt8]?
        for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: true) {
            if line.starts(with: begin) {
                // Whoever checks tokens has no use for the key that signs them; its place is elsewhere.
                guard !String(decoding: line, as: UTF8.self).contains("PRIVATE KEY") else {
                    throw KeyFileError(path: path, reason: "holds a private key: the public one is needed")
                }
                block = []
            }
            block?.append(contentsOf: line)
            block?.append(0x0a)
            guard line.starts(with: end), let whole = block else { continue }
            block = nil
            guard let key = TokenKey(publicPEM: whole, id: id) else {
                let reason =
                    "a block is no public key of a usable kind (RSA of \(TokenKey.rsaBitsMin) bits or more, P-256, "
                    + "P-384, Ed25519)"
                throw KeyFileError(path: path, reason: reason)
            }
            keys.append(key)
        }
        guard !keys.isEmpty else {
            throw KeyFileError(path: path, reason: "holds neither public keys in PEM nor a JSON Web Key Set")
        }
        return keys
    }

    // MARK: JSON Web Key Sets

    /// Keys for other purposes and of other kinds are left out, as RFC 7517 section 5 says; what is left must be sound.
    private static func keySet(_ bytes: [UInt8], path: String) throws(KeyFileError) -> [TokenKey] {
        guard let set = JSONValue(parsing: bytes) else {
            throw KeyFileError(path: path, reason: "is no JSON text, or names something twice")
        }
        guard let entries = set["keys"]?.array else {
            throw KeyFileError(path: path, reason: "is JSON, but no JSON Web Key Set: it has no list `keys`")
        }
        guard entries.count <= Self.keysMax else {
            throw KeyFileError(path: path, reason: "has more than \(Self.keysMax) keys")
        }
        var keys: [TokenKey] = []
        for (index, entry) in entries.enumerated() {
            switch WebKey(entry) {
            case .key(let key): keys.append(key)
            case .foreign: continue
            case .broken:
                let name = entry["kid"]?.string.map { "\"\($0)\"" } ?? "number \(index + 1)"
                throw KeyFileError(path: path, reason: "key \(name) cannot be used")
            }
        }
        guard !keys.isEmpty else {
            throw KeyFileError(path: path, reason: "has no key that could check a signature")
        }
        return keys
    }

    // MARK: Files

    private static func read(_ path: String) throws(KeyFileError) -> [UInt8] {
        do throws(BoundedFile.Problem) {
            return try BoundedFile.read(path, limit: Self.sizeMax)
        } catch {
            switch error {
            case .missing: throw KeyFileError(path: path, reason: "there is no such file")
            case .unreadable(let reason): throw KeyFileError(path: path, reason: reason)
            case .tooLarge: throw KeyFileError(path: path, reason: "is too large")
            }
        }
    }
}

/// One entry of a key set.
private enum WebKey {
    case key(TokenKey)
    /// For another purpose, or of a kind that is not checked here.
    case foreign
    case broken

    init(_ entry: JSONValue) {
        guard entry.members != nil, let kind = entry["kty"]?.string else {
            self = .broken
            return
        }
        if let use = entry["use"]?.string, use != "sig" {
            self = .foreign
            return
        }
        if let uses = entry["key_ops"]?.array, !uses.contains(.string("verify")) {
            self = .foreign
            return
        }
        var only: TokenAlgorithm?
        if let name = entry["alg"]?.string {
            guard let known = TokenAlgorithm(rawValue: name) else {
                self = .foreign
                return
            }
            only = known
        }
        self = Self.key(entry, kind: kind, only: only)
    }

    private static func key(_ entry: JSONValue, kind: String, only: TokenAlgorithm?) -> WebKey {
        func bytes(_ name: String) -> [UInt8] { entry[name]?.string.flatMap { Base64URL.decode($0.utf8) } ?? [] }
        let id = entry["kid"]?.string
        let key: TokenKey?
        switch (kind, entry["crv"]?.string) {
        case ("RSA", _): key = TokenKey(modulus: bytes("n"), exponent: bytes("e"), id: id, only: only)
        case ("EC", "P-256"): key = TokenKey(curve: .p256, x: bytes("x"), y: bytes("y"), id: id, only: only)
        case ("EC", "P-384"): key = TokenKey(curve: .p384, x: bytes("x"), y: bytes("y"), id: id, only: only)
        case ("OKP", "Ed25519"): key = TokenKey(ed25519: bytes("x"), id: id, only: only)
        default: return .foreign
        }
        return key.map { .key($0) } ?? .broken
    }
}
