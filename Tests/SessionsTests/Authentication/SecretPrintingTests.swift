import Sessions
import Testing

/// What holds a secret shows nothing of it, however it is printed.
///
/// Every byte that is printed is pinned, but for one thing: the standard library prints a private type as
/// `(unknown context at $55d6f1a29ed8)`, an address that differs from process to process. So the forms that are
/// looked for are such that no address contains one.
@Suite struct SecretPrintingTests {
    /// Ten bytes of text; the nonce below shares none of them.
    static let text: [UInt8] = bytes("uvwxyz{|}~")
    static let key: [UInt8] = Array(200..<232)
    static let otherKey: [UInt8] = Array(160..<192)
    static let nonce = bytes("0123456789")

    @Test func nothingThatPrintsShowsTheSecret() throws {
        let keys = try #require(
            SCRAMKeys(clientKey: SecretBytes(Self.key), serverKey: SecretBytes(Self.otherKey), salt: [1], iterations: 1)
        )
        let digits = bytes("fedcba9876543210fedcba9876543210")
        let md5 = try StoredSecret(parsing: "md5" + String(decoding: digits, as: UTF8.self))
        let text = SecretBytes(Self.text)
        let holders: [(holder: Any, secret: [UInt8])] = [
            (text, Self.text),
            (ServerCredential.cleartext(text), Self.text),
            (ServerCredential.md5Hash(text), Self.text),
            (ServerCredential.scramKeys(keys), Self.key),
            (keys, Self.key), (keys, Self.otherKey),
            (md5, digits),
            (try Self.scramSecret(), Self.key), (try Self.scramSecret(), Self.otherKey),
            (SCRAMClient(secret: .password(text), nonce: Self.nonce), Self.text),
            (SCRAMClient(secret: .keys(keys), nonce: Self.nonce), Self.key),
            (ServerLogin(user: "u", database: "d", credential: .cleartext(text)), Self.text),
            (ServerLogin(user: "u", database: "d", credential: .scramKeys(keys)), Self.key),
        ]
        for (holder, secret) in holders {
            for shown in Self.printed(holder) { #expect(SecretForms(secret).found(in: shown) == []) }
        }
    }

    @Test func aMockShowsNeitherItsKeyNorWhatComesFromIt() {
        let mock = MockAuthentication(key: SecretBytes(Self.text))
        for shown in Self.printed(mock) {
            #expect(SecretForms(Self.text).found(in: shown) == [])
            #expect(SecretForms(mock.verifier(user: "u").storedKey.exposed()).found(in: shown) == [])
            #expect(SecretForms(mock.verifier(user: "u").serverKey.exposed()).found(in: shown) == [])
            // A hash state that has absorbed the key is as secret as the key, and looks like neither.
            #expect(shown.contains("<keyed hash>"))
            #expect(!shown.contains("SHA256"))
        }
    }

    @Test(arguments: [text, key, otherKey]) func theSearchFindsEveryFormOfALeak(secret: [UInt8]) {
        struct Holder {
            let secret: [UInt8]
        }
        let forms = SecretForms(secret)
        for shown in Self.printed(Holder(secret: secret)) { #expect(forms.found(in: shown) != []) }
        #expect(forms.found(in: "key: \(SecretForms.hex(secret)).") != [])
        #expect(forms.found(in: "key: \(SecretForms.hex(secret).uppercased()).") != [])
        #expect(forms.found(in: String(decoding: Base64.encode(secret), as: UTF8.self)) != [])
        #expect(forms.found(in: "user:" + String(decoding: Base64.encode(bytes("x") + secret), as: UTF8.self)) != [])
        #expect(SecretForms(Self.text).found(in: "password=uvwxyz{|}~") != [])
    }

    @Test(arguments: [text, key, otherKey]) func noAddressContainsAForm(secret: [UInt8]) {
        for form in SecretForms(secret).all {
            // 64 bits are 16 digits.
            #expect(form.utf8.count > 16 || form.contains { !$0.isHexDigit })
        }
    }

    private static func scramSecret() throws -> StoredSecret {
        func text(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }
        return try StoredSecret(parsing: "SCRAM-SHA-256$4096:\(text([1, 2]))$\(text(self.key)):\(text(self.otherKey))")
    }

    private static func printed(_ holder: Any) -> [String] {
        var dumped = ""
        dump(holder, to: &dumped)
        return [String(describing: holder), String(reflecting: holder), dumped]
    }
}

/// The ways in which a part of a secret can appear in a text.
struct SecretForms {
    let all: [String]

    /// - Parameter secret: at least nine bytes.
    init(_ secret: [UInt8]) {
        var forms: [String] = []
        for (index, byte) in secret.enumerated() {
            // An element in a dump; two neighbours in an array's description.
            forms.append("- \(byte)\n")
            if index + 1 < secret.count { forms.append("\(byte), \(secret[index + 1])") }
            let rest = secret[index...]
            // Longer than an address has digits.
            if rest.count >= 9 { forms.append(Self.hex(rest.prefix(9))) }
            if rest.count >= 6 { forms.append(String(decoding: Base64.encode(Array(rest.prefix(6))), as: UTF8.self)) }
            if rest.count >= 4, let text = String(validating: rest.prefix(4), as: UTF8.self) {
                if text.contains(where: { !$0.isHexDigit }) { forms.append(text) }
            }
        }
        if let text = String(validating: secret, as: UTF8.self) { forms.append(text) }
        self.all = forms
    }

    func found(in text: String) -> [String] {
        let text = text + "\n"
        return self.all.filter { text.contains($0) || text.lowercased().contains($0) }
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
