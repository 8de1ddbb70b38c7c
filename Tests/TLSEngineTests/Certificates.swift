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
