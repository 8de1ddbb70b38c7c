import Testing

@testable import TLSEngine

/// tls-server-end-point (RFC 5929), beside what the `openssl` command makes of the certificate.
@Suite struct BindingTests {
    struct Case: Sendable {
        let key: CertificateWorkshop.Key
        /// Of the signature.
        let digest: String?
        /// Of the binding.
        let hash: String
    }

    static let cases: [Case] = [
        Case(key: .rsa, digest: "sha256", hash: "sha256"), Case(key: .rsa, digest: "sha384", hash: "sha384"),
        Case(key: .rsa, digest: "sha512", hash: "sha512"), Case(key: .rsa, digest: "sha1", hash: "sha256"),
        Case(key: .p256, digest: "sha256", hash: "sha256"), Case(key: .p256, digest: "sha384", hash: "sha384"),
        Case(key: .rsaPSS, digest: "sha512", hash: "sha512"), Case(key: .rsaPSS, digest: "sha256", hash: "sha256"),
    ]

    @Test(arguments: cases.indices) func bindingIsTheHashOfTheCertificate(index: Int) throws {
        let one = Self.cases[index]
        let workshop = try CertificateWorkshop()
        let identity = try workshop.leaf("server", issuer: nil, key: one.key, digest: one.digest)
        let printed = try workshop.openssl(["x509", "-in", "server.crt", "-outform", "der", "-out", "server.der"])
        #expect(printed.isEmpty)
        let expected = try workshop.openssl(["dgst", "-\(one.hash)", "-binary", "server.der"])
        let context = try Contexts.server(identity)
        #expect(context.endpointBinding == expected)
        var pair = try Pair(server: context, client: Contexts.client())
        #expect(pair.handshake().isDone)
        #expect(pair.server.endpointBinding == expected)
        #expect(pair.client.endpointBinding == expected)
    }

    @Test func signaturesWithoutADigestHaveNone() throws {
        let identity = try CertificateWorkshop().leaf("server", issuer: nil, key: .ed25519)
        let context = try Contexts.server(identity)
        #expect(context.endpointBinding == nil)
        var pair = try Pair(server: context, client: Contexts.client())
        #expect(pair.handshake().isDone)
        #expect(pair.server.endpointBinding == nil)
        #expect(pair.client.endpointBinding == nil)
    }
}
