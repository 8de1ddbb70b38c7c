import Sessions

/// Shorthand of the tests in this folder.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { byte in [digits[Int(byte >> 4)], digits[Int(byte & 15)]] })
}

/// Everything a fuzzer of the poor does to `message`: each truncation, each bit of each byte flipped, each byte
/// replaced by hostile ones, each byte doubled.
func mutations(of message: [UInt8]) -> [[UInt8]] {
    var all = message.indices.map { index in Array(message[..<index]) }
    for index in message.indices {
        for replacement: UInt8 in [
            0, 0x20, 0x2c, 0x3d, 0x41, 0x7f, 0x80, 0xff, message[index] ^ 1, message[index] ^ 0x20,
        ] {
            var mutated = message
            mutated[index] = replacement
            all.append(mutated)
        }
        all.append(Array(message[...index]) + Array(message[index...]))
        all.append(Array(message[..<index]) + Array(message[(index + 1)...]))
    }
    return all
}

/// A SCRAM verifier and exchange computed independently of this package.
struct SCRAMVector: Sendable {
    let password: String
    let stored: String
    let clientNonce: String
    let serverNonce: String
    let serverFirst: String
    let clientFinal: String
    let serverFinal: String
    var user = ""
    var gs2Header = "n,,"

    var clientFirst: String { "\(self.gs2Header)n=\(self.user),r=\(self.clientNonce)" }

    static let rfc7677 = SCRAMVector(
        password: "pencil",
        stored: "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
            + "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        clientNonce: "rOprNGfwEbeRWgbNEkqO",
        serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        user: "user"
    )

    static let plain = SCRAMVector(
        password: "secret",
        stored: "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$"
            + "THoPhoTAuqyoQsK4dUHncUzgfD8fdmhsgKZhWVqNP5U=:7YiHMMi2OcXGRogub03Ek06JRZ9bkhTOdCzHa5iPLiQ=",
        clientNonce: "fyko+d2lbbFgONRv9qkxdawL",
        serverNonce: "3rfcNHYJY1ZVvWVs7j+Q2jdl",
        serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j+Q2jdl,s=AAECAwQFBgcICQoLDA0ODw==,i=4096",
        clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j+Q2jdl,"
            + "p=/C9Coun9ySzXPabg9kmxc6/Fv9luEhMjl5wxiBcR9tE=",
        serverFinal: "v=WWKTe1MPsyZivvy0BhAw9ch4cBC3HnrXOS5axPcJsEE="
    )

    static let nonASCII = SCRAMVector(
        password: "p\u{e4}ssw\u{f6}rd",
        stored: "SCRAM-SHA-256$1:MDEyMzQ1Njc4OWFiY2RlZg==$"
            + "ZnAkl86czSRL7XfOVzEMqjhWn3dQDIaqnYjypNbO6Fs=:0QgVrs5S7onQ7NFegQI7IgkuwwwMIjvW1dhsA0CA6KU=",
        clientNonce: "abcdefghijklmnopqrstuvwx",
        serverNonce: "yz",
        serverFirst: "r=abcdefghijklmnopqrstuvwxyz,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=1",
        clientFinal: "c=biws,r=abcdefghijklmnopqrstuvwxyz,p=nnul1ZtGMrBkCVHXcqSdUPk+OVW4rHiDsglRDtP4l8A=",
        serverFinal: "v=4qhfM3N+1AU37eS+bhdfKzVMIoJQ+qTYJQ9KiYhyaaI="
    )

    /// Longer than a block of the hash, which HMAC treats on its own.
    static let longPassword = SCRAMVector(
        password: String(repeating: "x", count: 100),
        stored: "SCRAM-SHA-256$2:c2FsdA==$"
            + "V3O7Wk4oiLl32DZjc6QG5EdYXrmBk3ba3ePZ7BB8eGo=:mVgL4jCm+H62uaMhqSFgqGhE5JjDxhTDwRxa8QKkKv0=",
        clientNonce: "a",
        serverNonce: "b",
        serverFirst: "r=ab,s=c2FsdA==,i=2",
        clientFinal: "c=biws,r=ab,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=",
        serverFinal: "v=Quc3rrSLNy9+wMaqHBJn3nNYHZ+p17W5Daa2T9Rc9z0="
    )

    /// `longPassword` bound to ``endpoint``.
    static let bound = SCRAMVector(
        password: Self.longPassword.password,
        stored: Self.longPassword.stored,
        clientNonce: "a",
        serverNonce: "b",
        serverFirst: "r=ab,s=c2FsdA==,i=2",
        clientFinal: "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,r=ab,"
            + "p=s/TfWdB3/oexXqYbDrdDUHgPwll3EVpG/+lZsEoa9dw=",
        serverFinal: "v=utVSdrH/27YmeYIUxg3qOGi68Ka8y3N+CwmCe9o8170=",
        gs2Header: "p=tls-server-end-point,,"
    )

    /// `longPassword` of a client that could bind and was not offered to.
    static let bindable = SCRAMVector(
        password: Self.longPassword.password,
        stored: Self.longPassword.stored,
        clientNonce: "a",
        serverNonce: "b",
        serverFirst: "r=ab,s=c2FsdA==,i=2",
        clientFinal: "c=eSws,r=ab,p=/M10oSZpUuYV24SrrIiGUBfnBPPYENP0lbigMQVhFAU=",
        serverFinal: "v=BRi9MQVx4x3fbt5uMK9e+W383MgmZphQp/h6cHbEUJ8=",
        gs2Header: "y,,"
    )

    /// What a hash of a certificate looks like: 32 bytes.
    static let endpoint = (0..<32).map { UInt8($0) }

    static let emptyPassword = SCRAMVector(
        password: "",
        stored: "SCRAM-SHA-256$3:c2FsdA==$"
            + "MwQylfl+32j4RUI3R6mY7R7gP29aYGIhSw0N3i7DhUU=:/gLEjSSxWXP+V8/+VPDj/frRiDF41u4bHQ2uwZI+1J0=",
        clientNonce: "a",
        serverNonce: "b",
        serverFirst: "r=ab,s=c2FsdA==,i=3",
        clientFinal: "c=biws,r=ab,p=nlzt+qu5lyPFNKjwXw5ZuACSuJwoylnCi5yUYPvpIEM=",
        serverFinal: "v=l1obmPIDWjBRulEwbfGbgraYJgQF1GfqRLQZy3lSQzM="
    )

    static let all = [rfc7677, plain, nonASCII, longPassword, emptyPassword]

    func verifier() throws -> SCRAMVerifier {
        guard case .scram(let verifier) = try StoredSecret(parsing: self.stored).kind else {
            throw StoredSecretError.unknownForm
        }
        return verifier
    }
}
