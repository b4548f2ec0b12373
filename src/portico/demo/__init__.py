"""Everything on one machine: embedded servers, the sandbox and the portal's processes under one supervisor."""
