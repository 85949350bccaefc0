# cmake -DTEXT=file -DHEADER="x/y.h" -DNAME=kName -DOUT=file.cc -P TextAsSource.cmake: the text as a C++ constant.
file(READ ${TEXT} content)
file(WRITE ${OUT} "// Generated from ${TEXT}.\n#include \"${HEADER}\"\nnamespace tenon {\nconst char* const ${NAME} = R\"TEXT(${content})TEXT\";\n}\n")
