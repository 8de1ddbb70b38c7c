/// What PostgreSQL's rules can say and this room does not understand yet. A line that uses it refuses the whole text: a
/// rule left out, or taken for something else, would let in people it should keep out.
enum UnsupportedFeature: String {
    case roleMembership = "role membership (+role, samerole, samegroup)"
    case regularExpression = "a regular expression as a name (/...)"
    case fileInclusion = "a list of names from a file (@file)"
    case includeDirective = "an include directive"
    case ownAddresses = "the gateway's own addresses (samehost, samenet)"
    case hostName = "a host name as the address"
    case hostNameSuffix = "a host name suffix (.example.com) as the address"

    /// The reason of the error, naming the feature and the word that uses it.
    func reason(_ word: String) -> String {
        "\(word.excerpt): \(self.rawValue) is not supported"
    }
}
