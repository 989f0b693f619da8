"""A small program of classes, conditions and structures in packages of several cases, for tests of types."""

from __future__ import annotations

from pathlib import Path

from support.places import Places

PACKAGES = (
    "(defpackage #:shapes (:use #:cl) (:export #:shape #:area #:side #:made))\r\n"
    '(defpackage "Mixed" (:use :cl))\r\n'
    "(defpackage :guest (:use :cl :shapes))\r\n(defpackage :other (:use :cl))\r\n"
)
TREE = (
    "(in-package #:shapes)\r\n"
    ";; é😀 a tree\r\n"
    "(defclass shape () ((name :accessor name-of)))\r\n"
    '"é😀" (defclass circle (SHAPE) ((radius :initarg :radius :accessor radius :type number)))\r\n'
    "(defclass square (shape) ((side :initarg :side :accessor side :type (or null len))))\r\n"
    "(defclass tiny-square (square) ())\r\n"
    "(defgeneric area (shape) (:method ((s shape)) 0))\r\n"
    '"é😀" (defmethod area ((s circle)) (radius s))\r\n'
    "(defmethod Area :around ((s square)) (call-next-method))\r\n"
    "(defgeneric (setf area) (new shape))\r\n"
    "(defmethod (setf area) (new (s square)) (setf (side s) new))\r\n"
    "(define-condition bad-shape (error) ((of :initarg :of :type shape)))\r\n"
    "(define-condition worse-shape (bad-shape) ())\r\n"
    "(defstruct (point (:conc-name pt-)) (x 0 :type len) y)\r\n"
    "(defstruct (point-3d (:include point) (:constructor new-3d (z))) z)\r\n"
    "(deftype len () 'real)\r\n"
    "(declaim (inline twice) (type (or null shape) *best*))\r\n"
    "(defun twice (x) (* 2 x))\r\n"
    '"é😀" (defvar *best* (make-instance (quote square)))\r\n'
    "(defmacro define-made (name) `(defun ,name () (new-3d 1)))\r\n"
    "(define-made made)\r\n"
    "(defun used (x) (list x (made) (twice (area *best*)) (mapcar x nil)))\r\n"
)
GUEST = (
    "(in-package :guest)\n(defclass mine (shapes:shape) ())\n(defmethod area ((s mine)) 7)\n"
    "(defclass |Shape| () ())\n(defclass |Round| (|Shape|) ())\n"
)
OTHER = (
    "(in-package :other)\n(defclass shape () ())\n(defclass alien (shape) ())\n"
    "(defgeneric area (x))\n(defmethod area ((x alien)) 1)\n(defmethod shapes:area ((x alien)) 2)\n"
)
MIXED = '(in-package "Mixed")\n(defclass shape () ())\n(defclass cube (shape) ())\n'
FILES = {"packages": PACKAGES, "tree": TREE, "guest": GUEST, "other": OTHER, "mixed": MIXED}


def write_shapes(workspace: Path) -> Path:
    """Write the program into WORKSPACE, and return that."""
    for name, text in FILES.items():
        (workspace / f"{name}.lisp").write_bytes(text.encode())
    return workspace


def places(name: str) -> Places:
    """Return the text NAME of the program as a client counts in it."""
    return Places(FILES[name], "utf-16")
