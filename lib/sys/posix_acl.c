#include "sys/posix_acl.h"

#include <sys/acl.h>
#include <sys/xattr.h>

#include <acl/libacl.h> /* behind sys/acl.h */

int sn_acl_set(int fd, const char *text)
{
	acl_t acl = acl_from_text(text);
	int r;

	if (acl == NULL)
		return -errno;
	r = acl_set_fd(fd, acl) < 0 ? -errno : 0;
	(void)acl_free(acl); /* cannot fail */
	return r;
}

int sn_acl_is(int fd, const char *text)
{
	char *found = NULL;
	acl_t acl;
	int r;

	/* Where there are no ACLs acl_get_fd() makes one from the mode. */
	if (fgetxattr(fd, "system.posix_acl_access", NULL, 0) < 0 && errno == EOPNOTSUPP)
		return -EOPNOTSUPP;
	acl = acl_get_fd(fd);
	if (acl != NULL)
		found = acl_to_any_text(acl, NULL, ',', TEXT_NUMERIC_IDS | TEXT_ABBREVIATE);
	r = found != NULL ? strcmp(found, text) == 0 : -errno;
	(void)acl_free(found); /* cannot fail */
	(void)acl_free(acl);
	return r;
}
