import HBA
import Testing

@Suite struct CanonicalTextTests {
    @Test(arguments: [
        ("local\tall   all  trust", "local all all trust"),
        ("\"host\" \"all\",all a, b 10.1.2.3/8 \"md5\"", "host \"all\",all a,b 10.0.0.0/8 md5"),
        ("host all all 2001:DB8:0::1 ffff:ffff:: md5", "host all all 2001:db8::/32 md5"),
        ("host \"a b\",\"c\"\"d\",\"e,f\",\"#g\" \"+x\",\"@y\",\"all\" all md5", nil),
        ("local \"sameuser\",\"samerole\",\"replication\",\"samegroup\" \"\\\" md5", nil),
        ("local sameuser,replication sameuser md5", "local sameuser,replication \"sameuser\" md5"),
        ("local \"\u{A0}\",\u{E9} \"\u{201C}\" md5", nil),
        ("local \"\"\"\u{301}\" all md5", nil),
        ("local samerole,samegroup,\"/^a b\",/c +\"my role\",+r,/\\d md5", "local samerole,samerole,\"/^a b\",/c +\"my role\",+r,\"/\\d\" md5"),
        ("host all all samehost md5", nil),
        ("host all all samenet md5", nil),
        ("host all all db.Example.com md5", nil),
        ("host all all .Example.com md5", nil),
        ("host all all \"all\" md5", nil),
        ("host all all \"10pod\" md5", nil),
        (
            "local all all md5 m=\"a b\",x=\"c\\\" y=\"\"\"\" \"z=#\"",
            "local all all md5 m=\"a b\" x=\"c\\\" y=\"\"\"\" z=\"#\""
        ),
    ])
    func canonicalTextReadsBack(_ text: String, _ expected: String?) throws {
        let rule = try #require(policy(text).rules.first)
        let again = try #require(policy(rule.description).rules.first)
        #expect(rule.description == expected ?? text)
        #expect(again.description == rule.description)
        #expect(again.databases == rule.databases && again.users == rule.users && again.address == rule.address)
        #expect(again.options == rule.options && again.method == rule.method && again.kind == rule.kind)
    }

    @Test func secretsStayOutOfEveryText() throws {
        let text = "local all all md5 ldapserver=h ldapbindpasswd=\"hunter2 x\" radiussecrets=hunter2 # hunter2"
        let rule = try #require(policy(text).rules.first)
        #expect(rule.option("ldapbindpasswd") == "hunter2 x")
        let shown = "local all all md5 ldapserver=h ldapbindpasswd=*** radiussecrets=***"
        #expect(rule.description == shown)
        #expect(rule.source == shown)
        var dumped = ""
        dump(rule, to: &dumped)
        let reflections = [String(reflecting: rule), String(reflecting: rule.options)]
        for output in [dumped, "\(rule)", "\(rule.options)"] + reflections {
            #expect(!output.contains("hunter2"))
        }
    }
}
