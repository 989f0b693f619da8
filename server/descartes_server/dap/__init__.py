"""The debug adapter: one client of the Debug Adapter Protocol at the door of a workspace's hub."""
