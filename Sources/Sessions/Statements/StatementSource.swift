/// Where a client's statements become statements of its pool. Implemented by the pool, for any worker.
package protocol StatementSource {
    /// The pool's statement for the body of a Parse behind its name.
    func statement(
        tail: borrowing Span<UInt8>,
        planner: PlannerSettings?,
        isNamed: Bool
    ) -> StatementLookup

    /// A statement of the same text in place of one that PostgreSQL will not run any more, or that was prepared under
    /// other settings; nil when memory is exhausted.
    func replacement(of old: PreparedStatement, planner: PlannerSettings?, isNamed: Bool) -> PreparedStatement?

    /// Named statements work (`prepared_statements`).
    var allowsNamed: Bool { get }
    /// Unnamed statements are kept on servers under names, too.
    var sharesUnnamed: Bool { get }
    /// Unnamed statements a client remembers (`client_anonymous_prepared_cache_size`).
    var recentMax: Int { get }
    /// There is so much room for texts that clients may hold some that they do not need.
    var mayRemember: Bool { get }
}
