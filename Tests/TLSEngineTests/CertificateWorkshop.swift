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

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(self.folder)/\(name)"))
    }

    // MARK: Keys and certificates

    enum Key: String, Sendable {
        case p256, rsa, rsaPSS, ed25519

        var arguments: [String] {
            switch self {
            case .p256: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa: ["rsa:2048"]
            case .rsaPSS: ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"]
            case .ed25519: ["ed25519"]
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
    ///   - strings: the kinds of strings in names, as OpenSSL's `string_mask`.
    func leaf(
        _ name: String, subject: String? = nil, names: String? = nil, issuer: Identity?, key: Key = .p256,
        digest: String? = nil, usage: String? = nil, strings: String = "utf8only"
    ) throws -> Identity {
        var extensions = "basicConstraints=CA:false\n"
        if let names { extensions += "subjectAltName=\(names)\n" }
        if let usage { extensions += "extendedKeyUsage=\(usage)\n" }
        return try self.make(
            name, subject: subject ?? "/CN=\(name)", issuer: issuer, key: key, digest: digest, extensions: extensions,
            strings: strings)
    }

    /// A certificate with dates of its own, as `20500101000000Z`.
    func leaf(_ name: String, issuer: Identity, from start: String, until end: String) throws -> Identity {
        let request = ["req", "-new", "-nodes", "-newkey"] + Key.p256.arguments
        try self.openssl(request + ["-keyout", "\(name).key", "-subj", "/CN=\(name)", "-out", "\(name).csr"])
        let dates = ["-startdate", start, "-enddate", end]
        try self.ca(issuer, ["-notext", "-in", "\(name).csr", "-out", "\(name).crt"] + dates)
        return Identity(name: name, certificate: try self.read("\(name).crt"), key: try self.read("\(name).key"))
    }

    // MARK: Revocation

    /// What `openssl ca` keeps of an authority.
    private func ca(_ issuer: Identity, _ arguments: [String]) throws {
        if !FileManager.default.fileExists(atPath: "\(self.folder)/\(issuer.name).db") {
            try self.write("\(issuer.name).db", "")
            try self.write("\(issuer.name).number", "01\n")
            try self.write(
                "\(issuer.name).conf",
                """
                [ca]
                default_ca = own
                [own]
                database = \(issuer.name).db
                new_certs_dir = .
                rand_serial = yes
                crlnumber = \(issuer.name).number
                default_md = sha256
                policy = any
                [any]
                commonName = supplied
                """)
        }
        let own = ["-cert", "\(issuer.name).crt", "-keyfile", "\(issuer.name).key"]
        try self.openssl(["ca", "-batch", "-config", "\(issuer.name).conf"] + own + arguments)
    }

    /// The list of the authority on which those given are, besides those that were on the last one.
    ///
    /// - Parameter dates: its own, as `-crl_lastupdate`.
    func revocationList(
        of issuer: Identity, revoking revoked: [Identity] = [], dates: [String] = ["-crldays", "30"]
    ) throws -> [UInt8] {
        for one in revoked { try self.ca(issuer, ["-revoke", "\(one.name).crt"]) }
        try self.ca(issuer, ["-gencrl", "-out", "\(issuer.name).crl"] + dates)
        return try self.read("\(issuer.name).crl")
    }

    private func make(
        _ name: String, subject: String, issuer: Identity?, key: Key = .p256, digest: String? = nil,
        extensions: String, strings: String = "utf8only"
    ) throws -> Identity {
        try self.write(
            "\(name).conf",
            "[req]\ndistinguished_name = none\nx509_extensions = own\nstring_mask = \(strings)\n"
                + "[none]\n[own]\n\(extensions)")
        var command = ["req", "-x509", "-new", "-utf8", "-config", "\(name).conf", "-nodes", "-newkey"]
        command += key.arguments + ["-keyout", "\(name).key", "-subj", subject, "-out", "\(name).crt"]
        if let issuer { command += ["-CA", "\(issuer.name).crt", "-CAkey", "\(issuer.name).key"] }
        if let digest { command.append("-\(digest)") }
        try self.openssl(command + ["-days", "30"])
        return Identity(name: name, certificate: try self.read("\(name).crt"), key: try self.read("\(name).key"))
    }
}
