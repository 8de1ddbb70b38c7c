import Testing

@testable import AuthProviders

/// `roles_claim`: which roles a token names. Whatever is not understood names none.
@Suite struct ClaimPathTests {
    @Test(arguments: [
        ("roles", #"{"roles":["a","b"]}"#, ["a", "b"]),
        ("realm_access.roles", #"{"realm_access":{"roles":["owner"]}}"#, ["owner"]),
        ("https://id.example.org/roles", #"{"https://id.example.org/roles":["x"]}"#, ["x"]),
        ("a.b", #"{"a.b":["whole"],"a":{"b":["steps"]}}"#, ["whole"]),
        ("scope", #"{"scope":"read write"}"#, ["read", "write"]),
        ("scope", #"{"scope":" read  write "}"#, ["read", "write"]),
        ("roles", #"{"roles":["a",1,null,{"b":1},["c"],"d"]}"#, ["a", "d"]),
        ("roles", #"{"roles":{"a":true}}"#, []), ("roles", #"{"roles":7}"#, []), ("roles", #"{"roles":null}"#, []),
        ("roles", #"{}"#, []), ("a.b.c", #"{"a":{"b":["c"]}}"#, []), ("a.", #"{"a":["c"]}"#, []),
        ("", #"{"a":["c"]}"#, []), ("...", #"{"a":["c"]}"#, []), ("", #"{"":["c"]}"#, ["c"]),
    ])
    func names(path: String, claims: String, roles: [String]) throws {
        let claims = try #require(JSONValue(parsing: Array(claims.utf8)))
        #expect(ClaimPath(path).names(in: claims) == roles)
    }
}
