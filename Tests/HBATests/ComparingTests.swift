import HBA
import Testing

/// Whether the policy and the maps on disk are those in force.
@Suite struct ComparingTests {
    private static let methods: Set<String> = ["md5", "ldap", "jwt"]

    private static func isSame(_ text: String, _ otherText: String) throws -> Bool {
        let one = try policy(text, methods: Self.methods)
        let other = try policy(otherText, methods: Self.methods)
        #expect(one.isSame(as: one) && other.isSame(as: other))
        #expect(one.isSame(as: other) == other.isSame(as: one))
        return one.isSame(as: other)
    }

    @Test(arguments: [
        // Values that no description shows.
        ("local all all ldap ldapbindpasswd=one", "local all all ldap ldapbindpasswd=two"),
        ("local all all ldap ldapbindpasswd=caf\u{E9}", "local all all ldap ldapbindpasswd=cafe\u{301}"),
        ("local all all ldap my_secret=x", "local all all ldap my_token=x"),
        ("local all all jwt keys=/a", "local all all jwt keys=/b"),
        ("local all all jwt keys=/a passthrough=0", "local all all jwt keys=/a passthrough=1"),
        ("local all all jwt keys=/a", "local all all jwt keys=/a passthrough=0"),
        ("local all all md5", "local all bob md5"), ("local all all md5", "\nlocal all all md5"),
        ("local all caf\u{E9} md5", "local all cafe\u{301} md5"),
        ("local all all md5", "local all all md5\nlocal all all md5"), ("", "local all all md5"),
    ])
    func differences(_ one: String, _ other: String) throws { #expect(try !Self.isSame(one, other)) }

    @Test(arguments: [
        ("local all all md5", "local   all all md5  # more blanks"), ("", "# nothing"),
        ("local all all ldap ldapbindpasswd=one", "local all all ldap ldapbindpasswd=one # the same"),
    ])
    func sameness(_ one: String, _ other: String) throws { #expect(try Self.isSame(one, other)) }

    private static func isSameMap(_ text: String, _ otherText: String) throws -> Bool {
        let one = try IdentMaps.parse(text: text, file: "pg_ident.conf")
        let other = try IdentMaps.parse(text: otherText, file: "pg_ident.conf")
        #expect(one.isSame(as: one) && other.isSame(as: other))
        #expect(one.isSame(as: other) == other.isSame(as: one))
        return one.isSame(as: other)
    }

    @Test(arguments: [
        ("m bob robert", ""), ("m bob robert", "m bob robert\nm bob bob"), ("m bob robert", "n bob robert"),
        ("m bob robert", "m bo robert"), ("m bob robert", "m bob bob"), ("m bob robert", "m /bob robert"),
        ("m /bob robert", "m /bo robert"), ("m bob /rob", "m bob /bob"), ("m bob all", "m bob \"all\""),
        ("m bob +staff", "m bob staff"), ("m bob +staff", "m bob +sales"), ("m bob robert", "m bob all"),
        ("m /^(.*)@x$ \\1", "m /^(.*)@x$ a\\1"), ("m /^(.*)@x$ \\1", "m /^(.*)@x$ \\1a"),
        ("m caf\u{E9} r", "m cafe\u{301} r"), ("m a r\nm b r", "m b r\nm a r"),
    ])
    func differencesOfMaps(_ one: String, _ other: String) throws { #expect(try !Self.isSameMap(one, other)) }

    @Test(arguments: [
        ("m bob robert", "# first\n\nm   bob  robert"), ("", "# nothing"), ("m bob all", "m bob all # all"),
        ("m bob +staff", "m bob +staff"), ("m /^(.*)@x$ a\\1b", "m /^(.*)@x$ a\\1b"), ("m bob /rob", "m bob /rob"),
    ])
    func samenessOfMaps(_ one: String, _ other: String) throws { #expect(try Self.isSameMap(one, other)) }

    @Test(arguments: [
        ("keys", false), ("KEYS", false), ("passthrough", false), ("ldapbindpasswd", true), ("key", true),
        ("my_token", true), ("keys_secret", true), ("pass", true), ("issuer", false),
    ])
    func secretNames(_ name: String, _ isSecret: Bool) {
        #expect(HBAOption(name: name, value: "x").isSecret == isSecret)
        #expect(HBAOption(name: name, value: "x").shownValue == (isSecret ? "***" : "x"))
    }
}
