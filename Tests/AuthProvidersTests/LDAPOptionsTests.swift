import Sessions
import Testing

@testable import AuthProviders

/// What a rule `ldap` may say: hba.c of PostgreSQL decides which options exclude each other.
struct LDAPOptionsTests {
    private typealias Options = [(name: String, value: String)]

    private static func plan(_ text: String) throws(AuthConfigurationError) -> LDAPPlan {
        let entries: Options = text.split(separator: "|").map { word in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : "")
        }
        return try LDAPPlan(try MethodOptions(method: "ldap", entries: entries))
    }

    private static func search(_ text: String) throws -> LDAPSearch? {
        if case .search(let search) = try Self.plan(text).mode { search } else { nil }
    }

    @Test(arguments: [
        ("ldapserver=a|ldapprefix=x", "ldap://a:389"), ("ldapserver=a|ldapsuffix=x|ldapport=1389", "ldap://a:1389"),
        ("ldapserver=a b|ldapbasedn=x", "ldap://a:389 ldap://b:389"),
        ("ldapserver=a|ldapscheme=ldaps|ldapbasedn=x", "ldaps://a:636"),
        ("ldapurl=ldap://h:7/dc=x??sub", "ldap://h:7"), ("ldapurl=ldaps://h/dc=x??sub", "ldaps://h:636"),
        ("ldapurl=ldap://h:7/dc=x??sub|ldapserver=other|ldapport=8", "ldap://other:8"),
        ("ldapurl=ldap://h:7|ldapprefix=x", "ldap://h:7"), ("ldapprefix=x|ldapurl=ldaps://h/", "ldaps://h:636"),
    ])
    func servers(options: String, expected: String) throws {
        #expect(try Self.plan(options).servers == .named(expected))
    }

    @Test(arguments: [
        ("ldapbasedn=ou=people,dc=example,dc=org", LDAPServers.domain("example.org", scheme: "ldap")),
        ("ldapbasedn=dc=example,dc=org|ldapscheme=ldaps", .domain("example.org", scheme: "ldaps")),
        ("ldapurl=ldaps:///dc=example,dc=org?uid?sub", .domain("example.org", scheme: "ldaps")),
        ("ldapserver=a|ldapbasedn=dc=example,dc=org", .named("ldap://a:389")),
    ])
    func serversOfADomain(options: String, expected: LDAPServers) throws {
        #expect(try Self.plan(options).servers == expected)
    }

    /// DNS belongs to somebody else: nothing of its answer leaves its place in a URI.
    @Test(arguments: [
        ("a:389 b:1389", "ldap://a:389 ldap://b:1389"), ("", ""), ("  a:1  ", "ldap://a:1"), (":389 a:1", "ldap://a:1"),
        ("a/b:1 x?y:1 c#d:1 \u{fc}:1 a%2f:1 a\\b:1 g,h:1 a\t:1 b:2", "ldap://b:2"),
        ((0..<40).map { "h\($0):1" }.joined(separator: " "),
            (0..<16).map { "ldap://h\($0):1" }.joined(separator: " ")),
    ])
    func answersOfDNS(hosts: String, uris: String) {
        #expect(LDAPServers.uris(hosts, scheme: "ldap") == uris)
    }

    @Test(arguments: [
        ("ldapserver=a|ldapbasedn=x", "uid"), ("ldapserver=a|ldapbasedn=x|ldapsearchattribute=cn", "cn"),
        ("ldapserver=a|ldapbasedn=x|ldapsearchattribute=cn|ldap_name_attribute=none", nil),
        ("ldapserver=a|ldapbasedn=x|ldapsearchattribute=cn|ldap_name_attribute=mail", "mail"),
        ("ldapurl=ldap://h/dc=x??sub?(cn=$username)", nil),
        ("ldapurl=ldap://h/dc=x??sub?(cn=$username)|ldap_name_attribute=cn", "cn"),
    ] as [(String, String?)])
    func theAttributeThatIsCompared(options: String, attribute: String?) throws {
        #expect(try #require(try Self.search(options)).nameAttribute == attribute)
    }

    @Test func simpleBind() throws {
        guard case .simple(let prefix, let suffix) = try Self.plan("ldapserver=a|ldapprefix=cn=|ldapsuffix=,dc=x").mode
        else { throw Unexpected() }
        #expect(prefix == "cn=" && suffix == ",dc=x")
        #expect(LDAPSession.name(of: "ann", prefix: prefix, suffix: suffix) == "cn=ann,dc=x")
    }

    @Test func searchAndBind() throws {
        let search = try #require(try Self.search("ldapserver=a|ldapbasedn=dc=x|ldapbinddn=cn=r|ldapbindpasswd=pw"))
        #expect(search.base == "dc=x" && search.bindName == "cn=r" && search.scope == .subtree)
        #expect(search.bindPassword.matches(Array("pw".utf8)))
        #expect(search.filter(for: "ann") == "(uid=ann)")
        #expect(try Self.search("ldapserver=a|ldapbasedn=x|ldapsearchattribute=cn")?.filter(for: "ann") == "(cn=ann)")
        let template = "(|(uid=$username)(mail=$username))"
        let options = try MethodOptions(
            method: "ldap",
            entries: [("ldapserver", "a"), ("ldapbasedn", "x"), ("ldapsearchfilter", template)]
        )
        guard case .search(let filtered) = try LDAPPlan(options).mode else { throw Unexpected() }
        #expect(filtered.filter(for: "$username") == "(|(uid=$username)(mail=$username))")
        #expect(filtered.filter(for: "a*") == "(|(uid=a\\2a)(mail=a\\2a))")
    }

    @Test(arguments: [("base", LDAPScope.base), ("one", .oneLevel), ("sub", .subtree), ("", .base)])
    func scopesOfURLs(word: String, scope: LDAPScope) throws {
        let search = try #require(try Self.search("ldapurl=ldap://h/ou=people,dc=x?mail?\(word)"))
        #expect(search.scope == scope)
        #expect(search.base == "ou=people,dc=x")
        #expect(search.filter(for: "ann") == "(mail=ann)")
    }

    @Test func filtersOfURLs() throws {
        let search = try #require(try Self.search("ldapurl=ldap://h/dc=x??sub?(cn=$username)"))
        #expect(search.filter(for: "ann") == "(cn=ann)")
    }

    @Test(arguments: [
        "ldapserver=a", "ldapprefix=x", "ldapbasedn=x", "ldapserver= |ldapprefix=x",
        "ldapserver=a|ldapprefix=x|ldapbasedn=y", "ldapserver=a|ldapsuffix=x|ldapbinddn=y",
        "ldapserver=a|ldapsuffix=x|ldapbindpasswd=y", "ldapserver=a|ldapprefix=x|ldapsearchattribute=y",
        "ldapserver=a|ldapprefix=x|ldapsearchfilter=(a=$username)", "ldapurl=ldap://h/dc=x|ldapprefix=x",
        "ldapserver=a|ldapbasedn=x|ldapsearchattribute=uid|ldapsearchfilter=(a=$username)",
        "ldapserver=a|ldapbasedn=x|ldapsearchfilter=(uid=ann)", "ldapserver=a|ldapbasedn=x|ldapsearchattribute=a)(b",
        "ldapserver=a|ldapbasedn=x|ldapport=0", "ldapserver=a|ldapbasedn=x|ldapport=65536",
        "ldapserver=a|ldapbasedn=x|ldapport=ldap", "ldapserver=a|ldapbasedn=x|ldapscheme=http",
        "ldapurl=http://h/dc=x", "ldapurl=nonsense", "ldapurl=ldapi://h/dc=x", "ldapserver=a/b|ldapbasedn=x",
        "ldapserver=a|ldapbasedn=x|ldaptls=2", "ldapserver=a|ldapbasedn=x|ldapscheme=ldaps|ldaptls=1",
        "ldapserver=a|ldapbasedn=x|map=y",
        "ldapserver=a|ldapprefix=x|ldap_name_attribute=uid", "ldapserver=a|ldapbasedn=x|ldap_name_attribute=a)(b",
        "ldapserver=|ldapbasedn=dc=x", "ldapbasedn=ou=people", "ldapprefix=uid=|ldapsuffix=,dc=example,dc=org",
        "ldapserver=a|ldapbasedn=x|ldapfilter=y",
    ])
    func refusedOptions(options: String) {
        #expect(throws: AuthConfigurationError.self) { try Self.plan(options) }
    }

    @Test func errorsQuoteNoPassword() {
        do {
            _ = try Self.plan("ldapserver=a|ldapprefix=x|ldapbindpasswd=hidden-word")
            Issue.record("accepted")
        } catch {
            #expect(!error.description.contains("hidden-word"))
            #expect(error.description.contains("ldapbindpasswd"))
        }
    }

    // MARK: Names

    @Test(arguments: [
        ("ann", "ann"), ("a*b", "a\\2ab"), ("a(b)c", "a\\28b\\29c"), ("a\\b", "a\\5cb"), ("a\0b", "a\\00b"),
        ("übung_имя", "übung_имя"), ("*)(uid=*", "\\2a\\29\\28uid=\\2a"),
    ])
    func filterEscapes(name: String, expected: String) {
        #expect(LDAPText.escapedForFilter(name) == expected)
    }

    @Test(arguments: [
        ("ann", "ann"), ("a,ou=x", "a\\2cou\\3dx"), (" a ", "\\20a\\20"), ("#a#", "\\23a#"),
        ("a\"b+c;d<e>f\\", "a\\22b\\2bc\\3bd\\3ce\\3ef\\5c"),
        ("a b", "a b"), ("Größe", "Größe"),
    ])
    func nameEscapes(name: String, expected: String) {
        #expect(LDAPText.escapedForName(name) == expected)
    }

    /// Active Directory's forms are no distinguished names.
    @Test func onlyDistinguishedNamesAreEscaped() {
        #expect(LDAPSession.name(of: "a,b", prefix: "", suffix: "@x.example") == "a,b@x.example")
        #expect(LDAPSession.name(of: "a,b", prefix: "DOMAIN\\", suffix: "") == "DOMAIN\\a,b")
        #expect(LDAPSession.name(of: "a,b", prefix: "uid=", suffix: ",dc=x") == "uid=a\\2cb,dc=x")
    }

    @Test(arguments: ["a*", "(a", "a)", "a\\b", "a/b"])
    func namesThatAreNotSearchedFor(name: String) { #expect(!LDAPSearch.isSearchable(name)) }

    private struct Unexpected: Error {}
}
