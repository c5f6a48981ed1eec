"""The texts under the fields of a class, for its JSON Schema.

pydantic can read them too (`use_attribute_docstrings`), but only when the class is made: each start of the
program would parse the sources of tables whose texts nobody asks for.
"""

import ast
import inspect
import textwrap
from itertools import pairwise


def attribute_docs(form: type) -> dict[str, str]:
    """The text under each field of `form`, by the field's name; for those that have one."""
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(form))).body
    docs = {}
    for line, following in pairwise(getattr(found, "body", ())):
        match line, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = inspect.cleandoc(text)
    return docs
