import Foundation

/// Makes certificates for tests with the `openssl` command, in a folder of its own.
final class CertificateWorkshop: Sendable {
    /// A certificate (with those that lead to its authority) and its key, in PEM.
    struct Identity: Sendable {
        let name: String
        let certificate: [UInt8]
        let key: [UInt8]
    }

    struct Failure: Error { let text: String }

    private let folder: String

    init() throws {
        self.folder = NSTemporaryDirectory() + "certificates-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.folder) }

    /// Runs `openssl` in the folder; returns what it prints.
    @discardableResult
    func openssl(_ arguments: [String]) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: self.folder)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(text: "openssl \(arguments): \(String(decoding: complaints, as: UTF8.self))")
        }
        return Array(printed)
    }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(self.folder)/\(name)")))
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(self.folder)/\(name)", atomically: false, encoding: .utf8)
    }

    // MARK: Keys and certificates

    enum Key: String, Sendable {
        case p256, rsa, rsaPSS, ed25519

        var arguments: [String] {
            switch self {
            case .p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
            case .rsaPSS: ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]
            case .ed25519: ["-algorithm", "ED25519"]
            }
        }
    }

    /// An authority, signed by `issuer` or by itself.
    func authority(_ name: String, issuer: Identity? = nil) throws -> Identity {
        try self.make(
            name, subject: "/O=Example/CN=\(name)", issuer: issuer,
            extensions: "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n")
    }

    /// A certificate of a server or a client.
    ///
    /// - Parameters:
    ///   - names: alternative names: `DNS:db.example.com,IP:127.0.0.1`.
    ///   - arguments: more for `openssl x509`, as `-days`.
    func leaf(
        _ name: String, subject: String? = nil, names: String? = nil, issuer: Identity?, key: Key = .p256,
        digest: String? = nil, usage: String? = nil, arguments: [String] = ["-days", "30"]
    ) throws -> Identity {
        var extensions = "basicConstraints=CA:false\n"
        if let names { extensions += "subjectAltName=\(names)\n" }
        if let usage { extensions += "extendedKeyUsage=\(usage)\n" }
        return try self.make(
            name, subject: subject ?? "/CN=\(name)", issuer: issuer, key: key, digest: digest, extensions: extensions,
            arguments: arguments)
    }

    private func make(
        _ name: String, subject: String, issuer: Identity?, key: Key = .p256, digest: String? = nil,
        extensions: String, arguments: [String] = ["-days", "30"]
    ) throws -> Identity {
        try self.openssl(["genpkey", "-out", "\(name).key"] + key.arguments)
        let request = ["req", "-new", "-utf8", "-key", "\(name).key", "-subj", subject, "-out", "\(name).csr"]
        try self.openssl(request)
        try self.write("\(name).ext", extensions)
        var sign = ["x509", "-req", "-in", "\(name).csr", "-extfile", "\(name).ext", "-out", "\(name).crt"]
        if let issuer {
            sign += ["-CA", "\(issuer.name).crt", "-CAkey", "\(issuer.name).key", "-CAcreateserial"]
        } else {
            sign += ["-signkey", "\(name).key"]
        }
        if let digest { sign.append("-\(digest)") }
        try self.openssl(sign + arguments)
        return Identity(name: name, certificate: try self.read("\(name).crt"), key: try self.read("\(name).key"))
    }
}

/// Certificates that many tests need, made once.
enum Certificates {
    static let workshop = Result { try CertificateWorkshop() }
    static let authority = Result { try Self.workshop.get().authority("authority") }
    static let server = Result {
        try Self.workshop.get().leaf(
            "server", names: "DNS:db.example.com,IP:127.0.0.1", issuer: try Self.authority.get())
    }
    static let client = Result {
        try Self.workshop.get().leaf("client", subject: "/O=Example/CN=app", issuer: try Self.authority.get())
    }
}
