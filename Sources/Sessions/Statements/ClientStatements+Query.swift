extension ClientStatements {
    /// A simple query was answered in PostgreSQL's place, which would have dropped the unnamed statement for it.
    package func queryAnswered() { self.unnamed = nil }
}
