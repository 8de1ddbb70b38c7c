/* OpenLDAP's libldap (Debian: libldap-dev). */
#include <ldap.h>
